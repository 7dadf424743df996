import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { barriers, heading, logIn, picture, says, take, tooWide, visitor } from './browser.js';
import { FILE, browser, it } from './story.js';

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
    'templates/small': 'Template small',
    buttons: 'Buttons',
    'buttons/hall': 'Button hall',
    lights: 'Lights',
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
