import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe } from 'node:test';
import { URL, heading, logIn, picture, put, says, take, there, until, visitor } from './browser.js';
import { FILE, value, browser, page, it } from './story.js';

describe('a cluster', () => {
  it('with mistakes in its file is told where they are, and the file stays', async () => {
    await page.getByRole('link', { name: 'New cluster' }).click();
    await heading(page, 'New cluster');
    const wrong = FILE('home').replace('roles', 'rolls');
    await page.getByRole('textbox', { name: 'Cluster file' }).fill(wrong);
    await page.getByRole('button', { name: 'Make it known' }).click();
    await page
      .getByRole('alert')
      .getByText(/bramble\.yaml:6:/)
      .waitFor();
    await picture(page, 'new-cluster-mistake');
    assert.equal(await page.getByRole('textbox', { name: 'Cluster file' }).inputValue(), wrong);
    await page.getByRole('textbox', { name: 'Cluster file' }).fill(FILE('home'));
    await page.getByRole('button', { name: 'Make it known' }).click();
    await heading(page, 'home');
    assert.equal(page.url(), `${URL}/clusters/home`);
  });

  it('comes up while somebody watches', async () => {
    await page.getByRole('button', { name: 'Bring it up' }).click();
    await heading(page, 'Bring up home');
    await says(page, 'base packages on two');
    await until('a quarter of the steps', async () => (await value(page)) === 25);
    put('half');
    await until('half of the steps', async () => (await value(page)) === 50);
    await says(page, 'waiting for the API');
    await picture(page, 'run');
    put('go');
    await says(page, 'Done.');
    assert.equal(await value(page), 100);
    await picture(page, 'run-done');
    await page.getByText('base packages on one').click();
    await says(page, 'install the package curl');
    await says(page, 'Setting up curl');
    await page.getByRole('link', { name: 'home', exact: true }).click();
    await says(page, 'https://192.168.7.11:6443');
    await says(page, 'Ready');
    await picture(page, 'cluster');
  });

  it('answers questions', async () => {
    await page.getByRole('button', { name: 'What would change?' }).click();
    await says(page, 'machine one: 3 changes');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download its kubeconfig' }).click(),
    ]);
    assert.equal(download.suggestedFilename(), 'home.kubeconfig');
    assert.equal(readFileSync(await download.path(), 'utf8'), 'kind: Config\n');
  });

  it('has a file that is changed, but never over what somebody else wrote', async () => {
    const field = page.getByLabel('File of home');
    const other = await visitor(browser);
    await logIn(other, 'anna');
    await other.goto('/clusters/home');
    const mine = FILE('home').replace('192.168.7.12', '192.168.7.22');
    const theirs = FILE('home').replace('192.168.7.12', '192.168.7.32');
    await field.fill(mine);
    await other.getByLabel('File of home').fill(theirs);
    await other.getByRole('button', { name: 'Save' }).click();
    await says(other, 'Saved.');
    await says(page, 'Somebody else has changed the file');
    await picture(page, 'cluster-overtaken');
    assert.equal(await field.inputValue(), mine);
    // What is written outlasts a look elsewhere.
    await page.getByRole('link', { name: 'Machines' }).click();
    await heading(page, 'Machines');
    await page.goBack();
    await heading(page, 'home');
    assert.equal(await field.inputValue(), mine);
    await page.getByRole('button', { name: 'Keep mine' }).click();
    await page.getByRole('button', { name: 'Save' }).click();
    await says(page, 'Saved.');
    await until(
      'the other sees it',
      async () => (await other.getByLabel('File of home').inputValue()) === mine,
    );
    await other.context().close();
  });

  it('that fails says why', async () => {
    put('fail');
    await page.getByRole('button', { name: 'Apply the file' }).click();
    await heading(page, 'Bring up home');
    await says(page, 'It failed.');
    await says(page, 'connect: no route to host');
    assert.ok((await value(page)) < 100);
    await picture(page, 'run-failed');
    take('fail', 'go', 'half');
  });

  it('is stopped on its way', async () => {
    await page.getByRole('link', { name: 'home', exact: true }).click();
    await page.getByRole('button', { name: 'Bring it up' }).click();
    await says(page, 'base packages on two');
    await page.getByRole('button', { name: 'Stop' }).click();
    await says(page, 'It was stopped.');
    await says(page, 'The next run goes on where this one stopped');
  });

  it('is followed over an interruption', async () => {
    await page.getByRole('link', { name: 'home', exact: true }).click();
    await page.getByRole('button', { name: 'Bring it up' }).click();
    await says(page, 'base packages on two');
    put('restart');
    await until('the daemon is away', () => there('away'));
    await says(page, 'The connection to the daemon is lost.');
    await picture(page, 'run-lost');
    put('half');
    put('go');
    put('back');
    await says(page, 'Done.');
    assert.equal(await value(page), 100);
    await until(
      'all is well',
      async () => !(await page.getByText('connection to the daemon is lost').isVisible()),
    );
    assert.equal(await page.getByText('base packages on one').count(), 1);
  });

  it('goes down only by its name', async () => {
    await page.getByRole('link', { name: 'home', exact: true }).click();
    await page.getByRole('button', { name: 'Take it down…' }).click();
    const sure = page.getByRole('dialog').getByRole('button', { name: 'Take it down' });
    assert.ok(await sure.isDisabled());
    await page.getByLabel('Type home to confirm').fill('hom');
    assert.ok(await sure.isDisabled());
    await page.getByLabel('Type home to confirm').fill('home');
    await picture(page, 'down');
    await sure.click();
    await heading(page, 'Take down home');
    await says(page, 'Done.');
    await page.getByRole('link', { name: 'home', exact: true }).click();
    await page.getByRole('button', { name: 'Forget it…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Forget it' }).click();
    await heading(page, 'Clusters');
    await says(page, 'No cluster yet');
  });
});
