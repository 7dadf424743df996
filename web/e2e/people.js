import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { PASSWORD, heading, logIn, picture, says, until, visitor } from './browser.js';
import { FILE, browser, page, it } from './story.js';

describe('people', () => {
  it('are offered what their role may do', async () => {
    await page.getByRole('link', { name: 'People' }).click();
    await page.getByLabel('Name', { exact: true }).fill('vera');
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByLabel('Role', { exact: true }).selectOption('viewer');
    await page.getByRole('button', { name: 'Make' }).click();
    await page.getByRole('alert').getByText('10').waitFor();
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Make' }).click();
    await says(page, 'vera may log in.');
    await picture(page, 'people');
    const vera = await visitor(browser);
    await logIn(vera, 'vera');
    await vera.getByRole('link', { name: 'test', exact: true }).click();
    await heading(vera, 'test');
    const buttons = await vera.getByRole('main').getByRole('button').allTextContents();
    assert.deepEqual(buttons, ['What would change?', 'Is all well?']);
    assert.equal(await vera.getByRole('link', { name: 'Audit' }).count(), 0);
    await vera.context().close();
  });

  it('log in again where their session has ended, and lose nothing', async () => {
    const other = await visitor(browser);
    await logIn(other, 'anna');
    await other.goto('/new-cluster');
    await other.getByRole('textbox', { name: 'Cluster file' }).fill(FILE('kept'));
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByLabel('Your password now').fill('not my password');
    await page.getByLabel('New password', { exact: true }).fill('another horse');
    await page.getByLabel('New password once more').fill('another horse');
    await page.getByRole('button', { name: 'Change it' }).click();
    await page.getByRole('alert').filter({ hasText: /\S/ }).waitFor();
    assert.equal(await page.getByRole('dialog').count(), 0, 'nobody is logged out by a slip of the finger');
    await page.getByLabel('Your password now').fill(PASSWORD);
    await page.getByRole('button', { name: 'Change it' }).click();
    await says(page, 'Changed.');
    await other.getByRole('button', { name: 'Make it known' }).click();
    await other.getByRole('dialog').getByLabel('Password').fill('another horse');
    await picture(other, 'again');
    await other.getByRole('dialog').getByRole('button', { name: 'Log in' }).click();
    await other.getByRole('dialog').waitFor({ state: 'detached' });
    await other.getByRole('button', { name: 'Make it known' }).click();
    await heading(other, 'kept');
    await other.context().close();
  });

  it('make tokens, which are shown once', async () => {
    await page.getByLabel('What it is for').fill('backup');
    await page.getByRole('button', { name: 'Make it' }).click();
    assert.match(await page.getByLabel('Your new token').locator('input').inputValue(), /^brt_/);
    await picture(page, 'account');
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await page.getByRole('button', { name: 'Delete backup' }).click();
    await page.getByRole('button', { name: 'Delete it' }).click();
    await says(page, 'None.');
  });

  it('are seen in the audit, the newest first', async () => {
    await page.getByRole('link', { name: 'Audit' }).click();
    await says(page, 'cluster home forgotten');
    await picture(page, 'audit');
    const entries = page.getByRole('main').getByRole('listitem');
    const all = await entries.allTextContents();
    const place = (what) => all.findIndex((entry) => entry.includes(what));
    assert.ok(place('user vera made') < place('cluster home forgotten'));
    assert.ok(place('cluster home forgotten') < place('cluster home made known'));
    await page.getByLabel('Show only').fill('vera');
    await says(page, 'user vera made');
    assert.equal(await page.getByText('cluster home forgotten').count(), 0);
    await page.getByLabel('Show only').fill('');
  });

  it('read on in the audit, whatever is added meanwhile', async () => {
    // More than the page asks for at once.
    const made = await page.evaluate(async () => {
      const all = [];
      for (let i = 0; i < 210; i += 1) {
        const answer = await fetch('/api/v1/lights/acknowledge', { method: 'POST' });
        all.push(answer.status);
      }
      return all;
    });
    assert.ok(made.every((status) => status === 204));
    await page.reload();
    await says(page, '200 of the newest 200 entries');
    const entries = page.getByRole('main').getByRole('listitem');
    assert.equal(await entries.count(), 200);
    // Something new, of which the page is not told: what is read on lies behind what is shown all the same.
    await page.evaluate(() => fetch('/api/v1/lights/acknowledge', { method: 'POST' }));
    await page.getByRole('button', { name: 'Read older ones' }).click();
    await until('all is read', async () => (await entries.count()) > 210);
    const all = await entries.allTextContents();
    assert.equal(all.filter((entry) => entry.includes('cluster home made known')).length, 1);
    assert.ok(!all.slice(0, 200).some((entry) => entry.includes('cluster home made known')));
    assert.equal(await page.getByRole('button', { name: 'Read older ones' }).count(), 0);
    await picture(page, 'audit-all');
  });
});
