import * as fs from 'fs';
import * as path from 'path';

import { expect, test } from '@jupyterlab/galata';

import { mountBranch, mountRootOf, mountRow, openPanel, WITHOUT_FUSE } from './lab';

test.use({ baseURL: `http://127.0.0.1:${WITHOUT_FUSE}` });

const ROOT = mountRootOf(WITHOUT_FUSE);

test('without FUSE the files are copied, and the panel says so and why', async ({ page }) => {
  const panel = await openPanel(page);
  await expect(panel.getByRole('button', { name: /^Mounting: / })).toBeVisible();
  await mountBranch(panel, 'images');
  await expect(mountRow(panel, 'images').getByText('checkout')).toBeVisible();
  expect(fs.readdirSync(path.join(ROOT, 'images', 'squares'))).toHaveLength(3);
  await mountRow(panel, 'images').getByRole('button', { name: 'Unmount images' }).click();
  await expect(panel.getByText('Nothing is mounted')).toBeVisible();
});

test('a long copy shows how far it is, can be cancelled, and leaves nothing', async ({ page }) => {
  const panel = await openPanel(page);
  await mountBranch(panel, 'many');
  await expect(panel.getByText(/ of 489 KB/)).toBeVisible();
  await panel.getByRole('button', { name: 'Cancel mounting many' }).click();
  await expect(panel.getByText('Nothing is mounted')).toBeVisible({ timeout: 20_000 });
  await expect(page.locator('.Toastify__toast')).toHaveCount(0);
  expect(fs.existsSync(path.join(ROOT, 'many'))).toBe(false);
});
