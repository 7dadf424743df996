import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { URL, complaints, visitor } from './browser.js';
import { browser, it } from './story.js';

describe('the page itself', () => {
  it('is small on its way, kept where it can be, and from here alone', async () => {
    const other = await visitor(browser);
    const answers = [];
    other.on('response', (response) => answers.push(response));
    await other.goto('/clusters/home');
    await other.getByLabel('Name', { exact: true }).waitFor();
    const headers = async (end) => answers.find((one) => one.url().endsWith(end))?.allHeaders();
    const index = await headers('/clusters/home');
    assert.equal(index?.['content-encoding'], 'br');
    assert.equal(index?.['cache-control'], 'no-cache');
    assert.match(index?.['content-security-policy'] ?? '', /default-src 'self'/);
    assert.match((await headers('.js'))?.['cache-control'] ?? '', /immutable/);
    assert.ok(answers.every((answer) => answer.url().startsWith(URL)));
    await other.context().close();
  });

  it('broke no rule of its own', () => {
    assert.deepEqual(complaints, []);
  });
});
