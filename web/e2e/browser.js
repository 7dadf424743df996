// What the tests of the page share: a real browser, and the daemon that it was given.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

/** Milliseconds that anything may take. */
const LIMIT = 15_000;

export const URL = process.env.BRAMBLE_URL ?? '';
export const FIRST = process.env.BRAMBLE_FIRST ?? '';
const FOLDER = process.env.BRAMBLE_FOLDER ?? '';
/** A folder for pictures of all pages, if somebody wants to look at them. */
const PICTURES = process.env.PICTURES;

export const PASSWORD = 'correct horse';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What browsers complained about. */
export const complaints = [];

export async function launch() {
  // Chromium's sandbox is not for root; nothing but the daemon's own page is opened here.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: '/usr/bin/chromium', args });
}

/** A visitor with cookies of their own. */
export async function visitor(browser, options = {}) {
  const context = await browser.newContext({ baseURL: URL, ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // What the daemon refuses on purpose, and its absence, are told by the browser too.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      const { url, lineNumber } = message.location();
      // What examines the page (axe, the browser's driver) sets styles too; it has no place in the daemon's own code.
      if (message.text().startsWith('Applying inline style') && !url.startsWith(URL)) return;
      complaints.push(`${page.url()}: ${message.text()} (${url}:${lineNumber})`);
    }
  });
  return page;
}

export async function logIn(page, name, password = PASSWORD) {
  await page.goto('/');
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await heading(page, 'Clusters');
}

/** Waits until the page has that title. */
export function heading(page, name) {
  return page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
}

/** Waits until a text is there. */
export function says(page, text) {
  return page.getByText(text).first().waitFor();
}

/** Waits until something is so. */
export async function until(what, is) {
  const end = Date.now() + LIMIT;
  while (!(await is())) {
    if (Date.now() > end) throw new Error(`not within ${LIMIT} ms: ${what}`);
    await new Promise((go) => setTimeout(go, 20));
  }
}

/** Lets the program that carries out runs go on. */
export const put = (name) => writeFileSync(join(FOLDER, name), '');
export const take = (...names) => names.forEach((name) => rmSync(join(FOLDER, name), { force: true }));
export const there = (name) => existsSync(join(FOLDER, name));

/** Mistakes that people who can't see, or see little, would meet. */
export async function barriers(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** What reaches beyond the screen's edge, so that one must scroll sideways. */
export function tooWide(page) {
  return page.evaluate(() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    const all = [...document.querySelectorAll('body *')];
    return all
      .filter((it) => it.getBoundingClientRect().right > innerWidth)
      .map((it) => it.outerHTML.slice(0, 200));
  });
}

export async function picture(page, name) {
  if (PICTURES) await page?.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}
