// One story with one visitor, in the order in which a daemon's life brings it.
import { after, before, it as test } from 'node:test';
import { launch, picture, visitor } from './browser.js';

export let browser;
/** Who is there from the beginning to the end. */
export let page;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

export async function begin() {
  page = await visitor(browser);
}

let failed = false;

/** A part of the story; those behind one that failed could only fail too. */
export function it(name, part) {
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

export const FILE = (name) => `apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: ${name} }
spec:
  machines:
    - { name: one, roles: [control-plane], address: 192.168.7.11 }
    - { name: two, address: 192.168.7.12 }
`;

/** Per cent that the progress bar shows. */
export const value = async (page) => Number(await page.getByRole('progressbar').getAttribute('value'));
