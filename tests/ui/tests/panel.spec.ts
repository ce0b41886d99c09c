import * as fs from 'fs';
import * as path from 'path';

import { expect, test } from '@jupyterlab/galata';

import { dvmount, mountBranch, mounted, mountRow, MOUNT_ROOT, openPanel, repoRow, repositories } from './lab';

test.afterEach(() => {
  dvmount('unmount', '--all');
});

test('a branch is mounted with one click, read by a notebook and unmounted', async ({
  page
}, info) => {
  await page.notebook.createNew('reads.ipynb');
  const panel = await openPanel(page);
  await mountBranch(panel, 'images');
  await expect(mountRow(panel, 'images')).toBeVisible();

  const file = path.join(MOUNT_ROOT, 'images', 'squares', 'red.png');
  const code = `data = open(${JSON.stringify(file)}, "rb").read(); print(data[1:4], len(data))`;
  await page.notebook.setCell(0, 'code', code);
  await page.notebook.runCell(0, true);
  const size = fs.readFileSync(file).length;
  expect(await page.notebook.getCellTextOutput(0)).toEqual([`b'PNG' ${size}\n`]);

  await mounted(panel).getByRole('button', { name: 'Insert code that reads images' }).click();
  await expect(page.locator('.jp-Notebook .jp-Cell')).toHaveCount(2);
  await page.notebook.runCell(1, true);
  const listing = await page.notebook.getCellTextOutput(1);
  expect(listing?.join()).toContain(path.join(MOUNT_ROOT, 'images', 'squares'));
  await page.screenshot({ path: info.outputPath('light.png') });

  await mounted(panel).getByRole('button', { name: 'Unmount images' }).click();
  await expect(panel.getByText('Nothing is mounted')).toBeVisible();
  expect(fs.existsSync(path.join(MOUNT_ROOT, 'images'))).toBe(false);
});

test('code for tables and images names a file that is there', async ({ page }) => {
  await page.notebook.createNew('table.ipynb');
  const panel = await openPanel(page);
  await mountBranch(panel, 'iris');
  await mountRow(panel, 'iris').click({ button: 'right' });
  await page.getByText('Insert Code', { exact: true }).hover();
  await page.getByRole('menuitem', { name: 'Read a Table with pandas' }).click();
  await expect(page.locator('.jp-Notebook .jp-Cell').first()).toContainText('iris.head()');
  await page.notebook.runCell(0, true);
  expect((await page.notebook.getCellTextOutput(0))?.join()).toContain('setosa');
});

test('what another process mounts and unmounts shows by itself', async ({ page }) => {
  const panel = await openPanel(page);
  await expect(panel.getByText('Nothing is mounted')).toBeVisible();
  dvmount('mount', 'iris@master', 'flowers');
  await expect(mounted(panel).getByText('flowers')).toBeVisible();
  await expect(page.getByRole('button', { name: '1 mounted' })).toBeVisible();
  dvmount('unmount', 'flowers');
  await expect(panel.getByText('Nothing is mounted')).toBeVisible();
});

test('a mount stays at its commit until it is updated, or follows if told to', async ({
  page
}, info) => {
  const panel = await openPanel(page);
  await mountBranch(panel, 'iris');
  const row = mountRow(panel, 'iris');
  await expect(row).toBeVisible();
  const name = `note-${Date.now()}.txt`;
  const note = path.join(MOUNT_ROOT, 'iris', name);
  const put = (text: string) => {
    const source = info.outputPath(name);
    fs.writeFileSync(source, text);
    dvmount('put', 'file', `iris@master:/${name}`, '-f', source, '-m', text);
  };

  put('first');
  const update = row.getByRole('button', { name: 'Update' });
  await expect(update).toBeVisible();
  expect(fs.existsSync(note)).toBe(false);
  await update.click();
  await expect(update).toBeHidden();
  expect(fs.readFileSync(note, 'utf-8')).toBe('first');

  await row.getByRole('button', { name: 'More for iris' }).click();
  await page.getByRole('menuitem', { name: 'Follow the Branch' }).click();
  await expect(row.getByText('follows')).toBeVisible();
  put('second');
  await expect.poll(() => fs.readFileSync(note, 'utf-8')).toBe('second');
  await expect(update).toBeHidden();
});

test('a name that is taken leads to another name', async ({ page }) => {
  const panel = await openPanel(page);
  await mountBranch(panel, 'images');
  await expect(mountRow(panel, 'images')).toBeVisible();
  const commit = repositories(panel).getByRole('row').filter({ hasText: 'Add red' });
  await commit.hover();
  await commit.getByRole('button', { name: /^Mount/ }).click();
  const dialog = page.getByRole('dialog');
  const name = await dialog.getByRole('textbox').inputValue();
  expect(name).toMatch(/^images-[0-9a-f]{8}$/);
  await dialog.getByRole('textbox').fill('not a name');
  await dialog.getByRole('button', { name: 'Mount' }).click();
  await expect(dialog).toContainText('not a name');
  await dialog.getByRole('textbox').fill('oldest');
  await dialog.getByRole('button', { name: 'Mount' }).click();
  await expect(mountRow(panel, 'oldest')).toBeVisible();
  await expect(commit.getByTitle('mounted', { exact: true })).toBeVisible();
  expect(fs.readdirSync(path.join(MOUNT_ROOT, 'oldest', 'squares'))).toEqual(['red.png']);
});

test('a directory that is in the way is left alone', async ({ page }) => {
  const mine = path.join(MOUNT_ROOT, 'images', 'mine.txt');
  fs.mkdirSync(path.dirname(mine), { recursive: true });
  fs.writeFileSync(mine, 'mine');
  const panel = await openPanel(page);
  await mountBranch(panel, 'images');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(panel.getByText('Nothing is mounted')).toBeVisible();
  expect(fs.readFileSync(mine, 'utf-8')).toBe('mine');
  fs.rmSync(path.dirname(mine), { recursive: true });
});

test('everything can be done with the keyboard', async ({ page }) => {
  const panel = await openPanel(page);
  const row = repoRow(panel, 'images');
  await expect(row).toBeVisible();
  await panel.getByRole('searchbox', { name: 'Filter repositories' }).focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Home');
  await expect(row).toBeFocused();
  await page.keyboard.press('ArrowRight');
  await expect(row).toHaveAttribute('aria-expanded', 'true');
  const branch = repositories(panel).getByRole('row').filter({ hasText: 'master' });
  await expect(branch).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await expect(branch).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(branch.getByRole('button', { name: 'Mount images@master' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(mountRow(panel, 'images')).toBeVisible();
  await branch.focus();
  await page.keyboard.press('ArrowLeft');
  await expect(row).toBeFocused();
  await page.keyboard.press('ArrowLeft');
  await expect(row).toHaveAttribute('aria-expanded', 'false');
  await mountRow(panel, 'images').focus();
  await page.keyboard.press('Delete');
  await expect(panel.getByText('Nothing is mounted')).toBeVisible();
});

test('repositories are found by a part of their name', async ({ page }) => {
  const panel = await openPanel(page);
  await expect(repoRow(panel, 'iris')).toBeVisible();
  await panel.getByRole('searchbox', { name: 'Filter repositories' }).fill('IMAG');
  await expect(repoRow(panel, 'iris')).toBeHidden();
  await expect(repoRow(panel, 'images')).toBeVisible();
  await panel.getByRole('searchbox', { name: 'Filter repositories' }).fill('no such');
  await expect(panel.getByText('No repository has “no such” in its name.')).toBeVisible();
  await panel.getByRole('searchbox', { name: 'Filter repositories' }).fill('');
  await expect(repoRow(panel, 'iris')).toBeVisible();
  await expect(panel.getByRole('searchbox', { name: 'Filter repositories' })).toBeFocused();
});

test('an unknown reference is refused in words, and nothing is mounted', async ({ page }) => {
  const panel = await openPanel(page);
  await page.evaluate(() => {
    void window.jupyterapp.commands.execute('dvmount:mount', { repo: 'images', ref: 'nowhere' });
  });
  await expect(page.locator('.Toastify__toast')).toContainText('nowhere');
  await expect(panel.getByText('Nothing is mounted')).toBeVisible();
});

test('nothing sticks out of a narrow sidebar in the dark', async ({ page }, info) => {
  await page.theme.setDarkTheme();
  const panel = await openPanel(page);
  await mountBranch(panel, 'images');
  await expect(mountRow(panel, 'images')).toBeVisible();
  await page.addStyleTag({
    content: '#jp-left-stack, .dvm-Panel { min-width: 200px !important; max-width: 200px; }'
  });
  await expect(panel).toHaveCSS('width', '200px');
  for (const row of await panel.getByRole('row').all()) {
    const cell = row.locator('.dvm-Row-cell');
    expect(await cell.evaluate(node => node.scrollWidth - node.clientWidth)).toBeLessThanOrEqual(0);
  }
  await page.screenshot({ path: info.outputPath('dark-narrow.png') });
});
