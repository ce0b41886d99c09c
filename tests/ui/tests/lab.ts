import { execFileSync } from 'child_process';
import * as path from 'path';

import { expect, type IJupyterLabPageFixture } from '@jupyterlab/galata';
import type { Locator } from '@playwright/test';

/** Ports of the servers that playwright.config.js starts. */
export const WITHOUT_SERVER_HALF = 18782;
export const WITHOUT_FUSE = 18783;
const WITH_FUSE = 18781;

/** Directory of a server's own files; `server.py` gives its processes the same paths. */
const homeOf = (port: number) => path.join(process.env.DVM_UI_DIR!, String(port));
export const mountRootOf = (port: number) => path.join(homeOf(port), 'work', 'dvmount');

const HOME = homeOf(WITH_FUSE);
export const MOUNT_ROOT = mountRootOf(WITH_FUSE);

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
