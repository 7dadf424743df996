// What people do with the page, in the order in which a daemon's life brings it. Started by the daemon's own tests
// (crates/server/tests/it/page.rs), which say where it is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it as test } from 'node:test';
import {
  FIRST,
  PASSWORD,
  URL,
  barriers,
  complaints,
  heading,
  launch,
  logIn,
  picture,
  put,
  says,
  take,
  tooWide,
  there,
  until,
  visitor,
} from './browser.js';

const FILE = (name) => `apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: ${name} }
spec:
  machines:
    - { name: one, roles: [control-plane], address: 192.168.7.11 }
    - { name: two, address: 192.168.7.12 }
`;

let browser;
let page;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

let failed = false;

/** A part of the story; those behind one that failed could only fail too. */
function it(name, part) {
  test(name, async (context) => {
    if (failed) return context.skip('an earlier one failed');
    try {
      await part();
    } catch (error) {
      failed = true;
      await picture(page, 'failed');
      throw error;
    }
  });
}

const bar = (page) => page.getByRole('progressbar');
const value = async (page) => Number(await bar(page).getAttribute('value'));

describe('the first user', () => {
  it('is made by the link, whose secret is sent in no address', async () => {
    page = await visitor(browser);
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

describe('the pool, templates and buttons', () => {
  it('has machines that come and go', async () => {
    await page.getByRole('link', { name: 'Machines' }).click();
    await page.getByLabel('Name', { exact: true }).fill('one');
    await page.getByLabel('Address').fill('192.168.7.300');
    await page.getByRole('textbox', { name: 'Labels' }).fill('disk');
    await says(page, 'is no label');
    await page.getByRole('textbox', { name: 'Labels' }).fill('disk=ssd');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByRole('alert').getByText('address').waitFor();
    await page.getByLabel('Address').fill('192.168.7.30');
    await page.getByRole('button', { name: 'Add' }).click();
    await says(page, 'one is in the pool.');
    await picture(page, 'machines');
    await page.getByRole('button', { name: 'Delete one' }).click();
    await page.getByRole('button', { name: 'Take it out' }).click();
    await says(page, 'The pool is empty.');
  });

  it('has templates, and clusters after them', async () => {
    await page.getByRole('link', { name: 'Templates' }).click();
    await page.getByLabel('Name', { exact: true }).fill('small');
    await page.getByLabel('Workers').fill('1');
    await page.getByLabel('as JSON').fill('{ "addons": ["demo"] ');
    await says(page, 'This is no JSON');
    await page.getByLabel('as JSON').fill('{ "addons": ["demo"] }');
    await page.getByRole('button', { name: 'Make it' }).click();
    await says(page, 'small is there.');
    await picture(page, 'templates');
    await page.goto('/new-cluster');
    await page.getByLabel('Name', { exact: true }).fill('test');
    await page.getByRole('combobox', { name: 'Template' }).selectOption('small');
    await picture(page, 'new-cluster');
    await page.getByRole('button', { name: 'Order it' }).click();
    await heading(page, 'test');
  });

  it('has buttons whose key is shown once', async () => {
    await page.getByRole('link', { name: 'Buttons' }).click();
    await page.getByLabel('Id').fill('hall');
    await page.getByRole('combobox', { name: 'Template' }).selectOption('small');
    await page.getByRole('spinbutton', { name: 'Lifetime' }).fill('1.5');
    await page.getByRole('button', { name: 'Make it' }).click();
    const key = await page.getByLabel('Key of the button hall').locator('input').inputValue();
    assert.match(key, /^[0-9a-f]{64}$/);
    await picture(page, 'buttons');
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await page.getByRole('link', { name: 'hall', exact: true }).click();
    await heading(page, 'Button hall');
    assert.equal(await page.getByRole('spinbutton', { name: 'Lifetime' }).inputValue(), '1.5');
    assert.equal(await page.locator(`text=${key}`).count(), 0);
    await page.getByRole('spinbutton', { name: 'Lifetime' }).fill('2');
    await page.getByRole('button', { name: 'Save' }).click();
    await says(page, 'Saved.');
    await picture(page, 'button');
  });
});

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

  it('are seen in the audit', async () => {
    await page.getByRole('link', { name: 'Audit' }).click();
    await says(page, 'cluster home forgotten');
    await picture(page, 'audit');
    await page.getByLabel('Show only').fill('vera');
    await says(page, 'user vera made');
    assert.equal(await page.getByText('cluster home forgotten').count(), 0);
  });
});

describe('everybody', () => {
  it('can do without a mouse', async () => {
    const other = await visitor(browser);
    const keys = other.keyboard;
    await other.goto('/');
    await other.getByLabel('Name', { exact: true }).waitFor();
    /** Goes on to what has that name; every stop on the way is seen. */
    const tab = async (name) => {
      for (let stops = 0; stops < 40; stops += 1) {
        await keys.press('Tab');
        const here = await other.evaluate(() => {
          const it = document.activeElement;
          if (it === document.body) return { name: '', seen: true };
          const style = getComputedStyle(it);
          const label = it.labels?.[0]?.textContent ?? it.getAttribute('aria-label') ?? it.textContent;
          return {
            name: label.trim(),
            seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
          };
        });
        assert.ok(here.seen, `the focus is not seen at ${here.name}`);
        if (here.name === name) return;
      }
      assert.fail(`there is no way to ${name}`);
    };
    await tab('Name');
    await keys.type('anna');
    await tab('Password');
    await keys.type('another horse');
    await keys.press('Enter');
    await heading(other, 'Clusters');
    await tab('Skip to the content');
    await keys.press('Enter');
    await tab('New cluster');
    await keys.press('Enter');
    await heading(other, 'New cluster');
    await tab('Cluster file');
    await keys.insertText(FILE('keys'));
    await tab('Make it known');
    await keys.press('Enter');
    await heading(other, 'keys');
    take('half', 'go');
    await tab('Bring it up');
    await keys.press('Enter');
    await heading(other, 'Bring up keys');
    await says(other, 'base packages on two');
    await tab('Stop');
    await keys.press('Enter');
    await says(other, 'It was stopped.');
    await tab('keys');
    await keys.press('Enter');
    await heading(other, 'keys');
    await tab('Take it down…');
    await keys.press('Enter');
    await keys.press('Escape');
    assert.equal(await other.getByRole('dialog').count(), 0);
    assert.equal(await other.evaluate(() => document.activeElement.textContent), 'Take it down…');
    await other.context().close();
  });

  const PLACES = {
    clusters: 'Clusters',
    'new-cluster': 'New cluster',
    'clusters/test': 'test',
    'runs/keys-1': 'Bring up keys',
    machines: 'Machines',
    templates: 'Templates',
    buttons: 'Buttons',
    'buttons/hall': 'Button hall',
    people: 'People',
    audit: 'Audit',
    account: 'Account',
    'no/where': 'Nothing is here',
  };

  for (const [name, options] of Object.entries({
    'on a small phone': { viewport: { width: 320, height: 640 }, colorScheme: 'light' },
    'in the dark': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
    'at a small phone in the dark': { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
    'at a large screen': {
      viewport: { width: 1280, height: 800 },
      colorScheme: 'light',
      reducedMotion: 'reduce',
    },
  })) {
    it(`sees all of it ${name}`, async () => {
      const other = await visitor(browser, options);
      await other.goto('/');
      await other.getByLabel('Name', { exact: true }).waitFor();
      assert.deepEqual(await barriers(other), []);
      await logIn(other, 'anna', 'another horse');
      for (const [path, title] of Object.entries(PLACES)) {
        await other.goto(`/${path}`);
        await heading(other, title);
        // Until all is read that it shows.
        await other.waitForLoadState('load');
        assert.deepEqual(await tooWide(other), [], path);
        assert.deepEqual(await barriers(other), [], path);
        await picture(other, `${name.replaceAll(' ', '-')}-${path.replaceAll('/', '-')}`);
      }
      if (options.viewport.width < 500) {
        await other.getByRole('button', { name: 'Menu' }).click();
        await other.getByRole('link', { name: 'Account' }).waitFor();
        assert.deepEqual(await barriers(other), []);
        await picture(other, `${name.replaceAll(' ', '-')}-menu`);
        await other.keyboard.press('Escape');
        assert.ok(!(await other.getByRole('link', { name: 'Account' }).isVisible()));
      }
      await other.context().close();
    });
  }
});

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
