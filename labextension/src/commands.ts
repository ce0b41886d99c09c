import type { CommandRegistry } from '@lumino/commands';

/**
 * Ids of the commands. Those that act on a mount take `{ name }`, those on a commit
 * `{ repo, ref }`; without arguments they act on the row chosen in the panel.
 */
export const CommandIDs = {
  showPanel: 'dvmount:show-panel',
  refresh: 'dvmount:refresh',
  mount: 'dvmount:mount',
  cancelMount: 'dvmount:cancel-mount',
  unmount: 'dvmount:unmount',
  update: 'dvmount:update',
  follow: 'dvmount:follow',
  insertCode: 'dvmount:insert-code',
  copyPath: 'dvmount:copy-path',
  copyReference: 'dvmount:copy-reference',
  copyText: 'dvmount:copy-text',
  openInFileBrowser: 'dvmount:open-in-file-browser',
  openCommit: 'dvmount:open-commit'
} as const;

/** What widgets need of the registry of commands. */
export type Execute = (id: string, args?: Parameters<CommandRegistry['execute']>[1]) => void;
