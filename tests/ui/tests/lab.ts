import { execFileSync } from 'child_process';
import * as path from 'path';

import { expect, type IJupyterLabPageFixture } from '@jupyterlab/galata';
import type { Locator } from '@playwright/test';

/** Directory of the server's own files; `server.py` gives its processes the same paths. */
const HOME = path.join(process.env.DVM_UI_DIR!, '18781');
export const MOUNT_ROOT = path.join(HOME, 'work', 'dvmount');

/** Run a command as another process of the same user would. */
export function dvmount(...args: string[]): string {
  return execFileSync('python', ['-m', 'jupyter_dvmount.cli', ...args], {
    encoding: 'utf-8',
    cwd: HOME,
    env: {
      ...process.env,
      HOME,
      DVMOUNT_STORE: `file://${path.join(HOME, 'store')}`,
      DVMOUNT_STATE: path.join(HOME, 'state'),
      DVMOUNT_ROOT: MOUNT_ROOT
    }
  });
}

/** Show the panel and wait until it has something to say. */
export async function openPanel(page: IJupyterLabPageFixture): Promise<Locator> {
  await page.getByRole('tab', { name: 'Data versions' }).click();
  const panel = page.getByRole('region', { name: 'Data versions' });
  await expect(panel.getByRole('button', { name: 'Refresh data versions' })).toBeVisible();
  return panel;
}

/** The grid of what is mounted, and the tree of repositories. */
export const mounted = (panel: Locator) => panel.getByRole('grid', { name: 'Mounted' });
export const repositories = (panel: Locator) =>
  panel.getByRole('treegrid', { name: 'Repositories' });

/** The row of a mount, once it is there. */
export const mountRow = (panel: Locator, name: string) =>
  mounted(panel).locator('.dvm-MountItem').filter({ hasText: name });

/** The row of a repository. */
export const repoRow = (panel: Locator, name: string) =>
  repositories(panel).locator('[aria-level="1"]').filter({ hasText: new RegExp(`^${name}`) });

/** Expand a repository and mount a branch of it with the mouse. */
export async function mountBranch(panel: Locator, repo: string, branch = 'master'): Promise<void> {
  const row = repoRow(panel, repo);
  if ((await row.getAttribute('aria-expanded')) === 'false') {
    await row.click();
  }
  const action = repositories(panel).getByRole('button', { name: `Mount ${repo}@${branch}` });
  await repositories(panel).locator('[aria-level="2"]').filter({ hasText: branch }).first().hover();
  await action.click();
}
