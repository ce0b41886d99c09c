import * as fs from 'fs';
import * as path from 'path';

import { expect, test, type IJupyterLabPageFixture } from '@jupyterlab/galata';
import type { Locator } from '@playwright/test';

import { dvmount, MOUNT_ROOT, openPanel, repoRow } from './lab';

/** How long a job may take until it is over: the first one starts the controller. */
const A_JOB = { timeout: 60_000 };
/** How soon what has happened to a job is to be seen: sooner than the next poll. */
const AT_ONCE = { timeout: 5_000 };

const pipelineRow = (panel: Locator, name: string) =>
  panel.getByRole('grid', { name: 'Pipelines' }).getByRole('row').filter({ hasText: name });
const jobRow = (panel: Locator, pipeline: string) =>
  panel.getByRole('grid', { name: 'Jobs' }).getByRole('row').filter({ hasText: pipeline });
const stateOf = (row: Locator) => row.locator('.dvm-Dot');

/** Make a pipeline over the three squares as another process would. */
function create(info: { outputPath(name: string): string }, name: string, script: string): void {
  const file = info.outputPath(`${name}.json`);
  const input = { pfs: { repo: 'images', glob: '/squares/*' } };
  const transform = { cmd: ['sh', '-c', script] };
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify({ pipeline: { name }, input, transform, datum_tries: 1 }));
  dvmount('create', 'pipeline', '-f', file);
}

/** Put another text into the editor of a spec. */
async function type(page: IJupyterLabPageFixture, editor: Locator, text: string): Promise<void> {
  await editor.locator('.cm-content').click();
  await page.keyboard.press('Control+a');
  await page.keyboard.insertText(text);
}

test.afterEach(() => {
  dvmount('unmount', '--all');
  const listed = JSON.parse(dvmount('list', 'pipeline', '-o', 'json')) as { name: string }[];
  for (const { name } of listed) {
    dvmount('delete', 'pipeline', name, '--force');
  }
});

test('a cell is published, its job watched, and its output opened', async ({ page }, info) => {
  await page.notebook.createNew('Count files.ipynb');
  const panel = await openPanel(page);
  await expect(panel.getByText('No pipelines yet')).toBeVisible();
  const code = [
    'from pathlib import Path',
    'found = sorted(each.name for each in Path("/pfs/images").rglob("*.png"))',
    'print("has seen", len(found), "files")',
    'Path("/pfs/out/names.txt").write_text("\\n".join(found))'
  ].join('\n');
  await page.notebook.setCell(0, 'code', code);
  const toolbar = page.locator('.jp-cell-toolbar');
  await toolbar.getByRole('button', { name: /as a pipeline/ }).click();

  const editor = page.locator('.dvm-Spec');
  await expect(editor.getByText('Valid: makes count-files')).toBeVisible();
  await editor.getByRole('button', { name: 'Create' }).click();
  const row = jobRow(panel, 'count-files');
  await expect(stateOf(row)).toHaveAttribute('title', 'success', A_JOB);
  await expect(pipelineRow(panel, 'count-files')).toContainText('images → count-files');

  await row.dblclick();
  const document = page.locator('.dvm-Job');
  await expect(document.getByRole('log')).toContainText('has seen 3 files');
  await page.screenshot({ path: info.outputPath('job.png') });
  await document.getByRole('button', { name: 'Open output' }).click();
  await expect(page.locator('.jp-DirListing').getByText('names.txt')).toBeVisible();
  const file = path.join(MOUNT_ROOT, 'count-files', 'names.txt');
  expect(fs.readFileSync(file, 'utf-8')).toBe('blue.png\ngreen.png\nred.png');
});

test('a spec is checked while it is typed, and its pipeline run, stopped, paused and deleted', async ({
  page
}) => {
  const panel = await openPanel(page);
  await panel.getByRole('button', { name: 'New pipeline' }).click();
  const editor = page.locator('.dvm-Spec');
  await expect(editor.getByText('Valid: makes my-pipeline')).toBeVisible();
  const spec = [
    'pipeline: {name: slow}',
    'input:',
    '  pfs: {repo: images, globb: "/squares/*"}',
    'transform:',
    '  cmd: [sleep, "300"]'
  ].join('\n');
  await type(page, editor, spec);
  const messages = editor.getByRole('list', { name: 'Messages' });
  await expect(messages).toContainText("unknown field input.pfs.globb; did you mean 'glob'?");
  await expect(editor.locator('.dvm-Spec-marked')).toContainText('globb');
  await expect(editor.getByRole('button', { name: 'Create' })).toBeDisabled();
  await type(page, editor, spec.replace('globb', 'glob'));
  await expect(editor.getByText('Valid: makes slow')).toBeVisible();
  await expect(messages).toBeHidden();
  await page.keyboard.press('Control+s');

  const job = jobRow(panel, 'slow');
  await expect(stateOf(job)).toHaveAttribute('title', 'running', A_JOB);
  await expect(job.getByRole('progressbar')).toHaveAttribute('aria-valuemax', '3', AT_ONCE);
  await job.getByRole('button', { name: 'Stop job' }).click();
  await expect(stateOf(job)).toHaveAttribute('title', 'killed', A_JOB);

  const pipeline = pipelineRow(panel, 'slow');
  await pipeline.getByRole('button', { name: 'Pause slow' }).click();
  await expect(pipeline.getByText('paused')).toBeVisible();
  await pipeline.getByRole('button', { name: 'Run slow' }).click();
  await expect(stateOf(job.first())).toHaveAttribute('title', 'waiting', AT_ONCE);
  await pipeline.focus();
  await page.keyboard.press('Delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(panel.getByText('No pipelines yet')).toBeVisible(AT_ONCE);
  await expect(panel.getByText('No jobs yet')).toBeVisible(AT_ONCE);
  await expect(repoRow(panel, 'slow')).toBeHidden(AT_ONCE);
});

test('a job that fails says why, and what has failed runs again', async ({ page }, info) => {
  const panel = await openPanel(page);
  create(
    info,
    'picky',
    'echo looks at /pfs/images/squares/*; test ! -e /pfs/images/squares/red.png'
  );
  const first = jobRow(panel, 'picky').last();
  await expect(stateOf(first)).toHaveAttribute('title', 'failure', A_JOB);
  await expect(first).toContainText('sh ended with exit code 1');
  await first.focus();
  await page.keyboard.press('Enter');
  const document = page.locator('.dvm-Job');
  await expect(document).toContainText('3 datums, 2 processed, 1 failed');
  await expect(document.getByRole('log')).toContainText('green.png');
  await document.getByRole('checkbox', { name: 'Failed only' }).click();
  await expect(document.getByRole('log')).not.toContainText('green.png');
  await expect(document.getByRole('log')).toContainText('red.png');
  await page.screenshot({ path: info.outputPath('failed.png') });
  await document.getByRole('button', { name: 'Run again what has failed' }).click();
  await expect(jobRow(panel, 'picky')).toHaveCount(2, AT_ONCE);
  const second = jobRow(panel, 'picky').first();
  await expect(stateOf(second)).toHaveAttribute('title', 'failure', A_JOB);
  await expect(second).toContainText('2 skipped');
});
