import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { heading, picture, put, says, take } from './browser.js';
import { page, it } from './story.js';

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
});
