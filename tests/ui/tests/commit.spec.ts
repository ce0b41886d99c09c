import { expect, test } from '@jupyterlab/galata';

import { dvmount, openPanel, repoRow, repositories } from './lab';

test.afterEach(() => {
  dvmount('unmount', '--all');
});

test('a directory of 100,000 entries opens within a second and scrolls to its end', async ({
  page
}, info) => {
  const panel = await openPanel(page);
  await repoRow(panel, 'many').click();
  await repositories(panel).getByText('A hundred thousand files').dblclick();
  const files = page.getByRole('grid', { name: 'Files' });
  await files.getByText('files', { exact: true }).waitFor();

  const started = Date.now();
  await files.getByText('files', { exact: true }).click();
  await files.getByText('000000.txt').waitFor();
  const opened = Date.now() - started;
  console.log(`first rows of 100,000 entries after ${opened} ms`);
  expect(opened).toBeLessThanOrEqual(1000);

  const begun = Date.now();
  await expect(async () => {
    await files.evaluate(grid => grid.parentElement!.scrollTo(0, grid.parentElement!.scrollHeight));
    await expect(files.getByText('099999.txt')).toBeVisible({ timeout: 100 });
  }).toPass({ timeout: 60_000, intervals: [50] });
  console.log(`the last of 100,000 entries after ${Date.now() - begun} ms of scrolling`);
  await expect(page.getByText('100,000 entries')).toBeVisible();
  expect(await files.getByRole('row').count()).toBeLessThan(200);

  const frames = await files.evaluate(async grid => {
    const scroller = grid.parentElement!;
    let slowest = 0;
    let last = performance.now();
    for (let step = 1; step <= 60; step++) {
      scroller.scrollTop = (scroller.scrollHeight * step) / 60;
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      slowest = Math.max(slowest, now - last);
      last = now;
    }
    return slowest;
  });
  console.log(`slowest frame while scrolling through 100,000 entries: ${Math.round(frames)} ms`);
  expect(frames).toBeLessThan(1000);
  await page.screenshot({ path: info.outputPath('many.png') });
});

test('a commit shows what it is and leads to its parent and into directories', async ({ page }) => {
  const panel = await openPanel(page);
  await repoRow(panel, 'images').click();
  await repositories(panel).getByText('Add blue').dblclick();
  const document = page.locator('.dvm-Commit');
  await expect(document.getByText('Add blue')).toBeVisible();
  await expect(document.getByText('ui tests')).toBeVisible();
  await expect(document.getByText('3 files')).toBeVisible();

  const files = document.getByRole('grid', { name: 'Files' });
  await files.getByText('squares').click();
  await expect(files.getByRole('row')).toHaveCount(3);
  await files.getByRole('row').first().focus();
  await page.keyboard.press('Backspace');
  await expect(files.getByText('squares')).toBeVisible();

  await document.getByRole('button', { name: 'Mount', exact: true }).click();
  await expect(document.getByText('mounted as images')).toBeVisible();

  await document.locator('header').getByRole('button', { name: /^[0-9a-f]{8}$/ }).click();
  await expect(page.locator('.dvm-Commit').getByText('Add green')).toBeVisible();
});

test('an open commit document is there again after a reload', async ({ page }) => {
  const panel = await openPanel(page);
  await repoRow(panel, 'iris').click();
  const saved = page.waitForRequest(
    request =>
      request.method() === 'PUT' &&
      request.url().includes('/api/workspaces/') &&
      (request.postData() ?? '').includes('dvmount-commit-iris')
  );
  await repositories(panel).getByText('The table').dblclick();
  await expect(page.getByRole('grid', { name: 'Files' })).toBeVisible();
  await saved;
  await page.reload({ waitForIsReady: false });
  await expect(page.getByRole('grid', { name: 'Files' })).toBeVisible();
});
