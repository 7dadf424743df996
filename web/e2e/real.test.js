// A press in the browser that makes a real cluster. Started by the whole-system tests (tests/tests/button.rs), which say
// where the daemon is, who logs in and which button is pressed.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { complaints, heading, launch, logIn, says, visitor } from './browser.js';
import { value } from './story.js';

/** Milliseconds that a run may take. */
const RUN = 300_000;
const LOOK = 200;
/** Milliseconds that anything else may take. */
const WAIT = 30_000;
const TRIES = 5;
/** Milliseconds that a button shows what came of a press (`bramble_button::limits::SHOW_RESULT`). */
const LAST_SCREEN = 30_000;

const BUTTON = process.env.BRAMBLE_BUTTON ?? '';
const PASSWORD = process.env.BRAMBLE_PASSWORD ?? '';

/** What the progress bar shows, one after the other, until a text says that the run is over. */
async function bar(page, over) {
  const values = [];
  const end = Date.now() + RUN;
  for (;;) {
    const last = await value(page);
    if (last !== values.at(-1)) values.push(last);
    if (await page.getByText(over, { exact: true }).first().isVisible())
      return [...values, await value(page)];
    assert.ok(Date.now() < end, `the run is not over: ${values}`);
    await page.waitForTimeout(LOOK);
  }
}

/** Chromium ends all its connections when interfaces of machines come and go (ERR_NETWORK_CHANGED): it is done again then. */
async function steadily(action) {
  for (let tries = 1; ; tries++) {
    try {
      return await action();
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}

it('is watched to its end, and taken down again', async () => {
  const browser = await launch();
  try {
    const page = await visitor(browser);
    // The machines of the cluster are on this computer, too.
    page.setDefaultTimeout(WAIT);
    await steadily(() => logIn(page, 'anna', PASSWORD));
    const display = page.getByLabel('Display');
    const press = (name) => page.getByRole('button', { name, exact: true }).click();
    await steadily(async () => {
      await page.goto(`/buttons/${BUTTON}`);
      await heading(page, `Button ${BUTTON}`);
      await press('Press');
      await display.getByText('Provisioning').waitFor();
    });
    const cluster = page.getByRole('link', { name: new RegExp(`^${BUTTON}-\\d{8}-\\d{6}$`) });
    const name = await cluster.innerText();

    await steadily(async () => {
      await page.goto(`/runs/${name}-1`);
      await heading(page, `Bring up ${name}`);
    });
    const shown = await bar(page, 'Done.');
    assert.equal(shown.at(-1), 100);
    assert.ok(shown.length > 5, `it moves: ${shown}`);
    assert.deepEqual(
      shown,
      shown.toSorted((one, other) => one - other),
      'never back',
    );
    await page.getByRole('link', { name, exact: true }).click();
    await says(page, 'Ready');
    await says(page, /^https:\/\/10\.80\.\d+\.11:6443$/);

    const ready = display.getByText('is ready.');
    await steadily(async () => {
      await page.goto(`/buttons/${BUTTON}`);
      await ready.waitFor();
    });
    // A button that shows its last screen hears no press until it sleeps.
    await ready.waitFor({ state: 'hidden', timeout: LAST_SCREEN + WAIT });
    await steadily(async () => {
      await press('Long press');
      await display.getByText('Press to confirm').waitFor();
      await press('Press');
      await display.getByText('Press to confirm').waitFor({ state: 'hidden' });
    });
    await display.getByText('is removed.').waitFor({ timeout: RUN });
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
  }
});
