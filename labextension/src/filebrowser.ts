import { PageConfig } from '@jupyterlab/coreutils';
import type { CommandRegistry } from '@lumino/commands';

import type { Mount } from './api';
import { relativeToServer } from './serverpath';

const OPEN_PATH = 'filebrowser:open-path';

/** Where the file browser has a mount; null where there is none, or the mount is outside of its root. */
export function browserPath(commands: CommandRegistry, mount: Mount): string | null {
  return commands.hasCommand(OPEN_PATH)
    ? relativeToServer(mount.path, PageConfig.getOption('serverRoot'))
    : null;
}

/**
 * Show the directory of a mount in the file browser.
 *
 * @returns Whether the file browser can show it.
 */
export async function openInFileBrowser(commands: CommandRegistry, mount: Mount): Promise<boolean> {
  const path = browserPath(commands, mount);
  if (path === null) {
    return false;
  }
  await commands.execute(OPEN_PATH, { path: `/${path}` });
  return true;
}
