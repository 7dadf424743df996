import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { heading, logIn, picture, put, says, take, until, visitor } from './browser.js';
import { browser, page, it } from './story.js';

describe('the pool, templates, buttons and lights', () => {
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
    await page.getByRole('link', { name: 'small', exact: true }).click();
    await heading(page, 'Template small');
    await until('its form is filled', async () => (await page.getByLabel('Workers').inputValue()) === '1');
    await page.getByLabel('as JSON').fill('{ "addon": ["demo"] }');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').getByText('addon').first().waitFor();
    await page.getByLabel('as JSON').fill('{ "addons": ["demo"], "kubernetes": { "version": "v1.34.2" } }');
    await page.getByLabel('Labels').fill('disk=ssd');
    await page.getByRole('button', { name: 'Save' }).click();
    await says(page, 'Saved.');
    await picture(page, 'template');
    await page.reload();
    await heading(page, 'Template small');
    await until('it is kept', async () => (await page.getByLabel('Labels').inputValue()) === 'disk=ssd');
    assert.match(await page.getByLabel('as JSON').inputValue(), /v1\.34\.2/);
    await page.getByRole('link', { name: 'Templates' }).click();
    await says(page, '1 control plane and 1 worker on this computer, disk=ssd');
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

  it('has a virtual button, whose press is a cluster', async () => {
    take('half', 'go');
    await page.getByRole('button', { name: 'Press', exact: true }).click();
    const display = page.getByLabel('Display');
    await display.getByText('Provisioning').waitFor();
    // One of four steps; the button begins at ten per cent.
    await display.getByText('base on two').waitFor();
    await picture(page, 'virtual-button');
    put('half');
    put('go');
    await display.getByText('is ready.').waitFor();
    await display.getByText(':6443').waitFor();
    await page.getByRole('link', { name: /^hall-\d{8}-\d{6}$/ }).click();
    await heading(page, /^hall-/);
    await says(page, 'Ready');
  });

  it('has lights, with what they show and a self-test', async () => {
    await page.getByRole('link', { name: 'Lights' }).click();
    await heading(page, 'Lights');
    await page.getByRole('img', { name: /^red \w+, yellow \w+, green \w+$/ }).waitFor();
    await page.getByRole('button', { name: 'Self-test' }).click();
    await says(page, 'It is played.');
    await picture(page, 'lights');
  });

  it('has rules of the lights, whose mistakes are shown where they are', async () => {
    const field = page.getByLabel('Rules of the lights');
    await until('the rules are there', async () => (await field.inputValue()).includes('kind: Lights'));
    const rules = (light) => `apiVersion: bramble.dev/v1alpha1
kind: Lights
rules:
  - { source: bramble, reason: Done, light: ${light} }
`;
    await field.fill(`${rules('grin')}  - { source: nobody, light: red }\n`);
    await page.getByRole('button', { name: 'Save' }).click();
    await page
      .getByRole('alert')
      .getByText(/lights\.yaml:4:/)
      .waitFor();
    await says(page, 'the first one in line 4');
    assert.equal(await selected(page), '  - { source: bramble, reason: Done, light: grin }');
    await picture(page, 'lights-mistake');
    await field.fill(rules('green'));
    const other = await visitor(browser);
    await logIn(other, 'anna');
    await other.goto('/lights');
    await other.getByLabel('Rules of the lights').fill(rules('red'));
    await other.getByRole('button', { name: 'Save' }).click();
    await says(other, 'Saved.');
    // Nobody overwrites what they have not seen.
    await says(page, 'Somebody else has changed the file');
    await page.getByRole('button', { name: 'Keep mine' }).click();
    await page.getByRole('button', { name: 'Save' }).click();
    await says(page, 'Saved. It counts already.');
    const theirs = other.getByLabel('Rules of the lights');
    await until('the other sees it', async () => (await theirs.inputValue()) === rules('green'));
    await picture(page, 'lights-rules');
    await other.context().close();
  });
});

/** What is selected in the field that has the focus. */
const selected = (page) =>
  page.evaluate(() => {
    const { value, selectionStart, selectionEnd } = document.activeElement;
    return value.slice(selectionStart, selectionEnd);
  });
