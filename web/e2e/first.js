import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { FIRST, PASSWORD, URL, heading, picture, says, visitor } from './browser.js';
import { begin, browser, page, it } from './story.js';

describe('the first user', () => {
  it('is made by the link, whose secret is sent in no address', async () => {
    await begin();
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(`/first#${FIRST}`);
    await heading(page, 'Welcome to Bramble');
    await page.getByLabel('Name', { exact: true }).fill('Anna!');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByLabel('Password once more').fill('correct hose');
    await page.getByRole('button').click();
    await says(page, 'This is another one.');
    await page.getByLabel('Password once more').fill(PASSWORD);
    await page.getByRole('button').click();
    await page.getByRole('alert').getByText('name').waitFor();
    await picture(page, 'first');
    assert.equal(await page.getByLabel('Password', { exact: true }).inputValue(), PASSWORD);
    await page.getByLabel('Name', { exact: true }).fill('anna');
    await page.getByRole('button').click();
    await heading(page, 'Clusters');
    assert.equal(page.url(), `${URL}/clusters`);
    assert.ok(asked.every((url) => !url.includes(FIRST)));
  });

  it('is the only one by that link', async () => {
    const other = await visitor(browser);
    await other.goto(`/first#${FIRST}`);
    await other.getByRole('button', { name: 'Log in' }).waitFor();
    await other.context().close();
  });
});

describe('logging in', () => {
  it('says that a password is wrong, and keeps the name', async () => {
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Name', { exact: true }).fill('anna');
    await page.getByLabel('Password', { exact: true }).fill('wrong horse');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page
      .getByRole('alert')
      .getByText(/wrong|name or password/i)
      .waitFor();
    await picture(page, 'login');
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'anna');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await heading(page, 'Clusters');
    await picture(page, 'clusters-none');
  });
});
