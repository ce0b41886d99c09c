import type { CommandRegistry } from '@lumino/commands';

/**
 * Ids of the commands. Those that act on a mount take `{ name }`, those on a commit
 * `{ repo, ref }`, on a pipeline `{ pipeline }`, on a job `{ pipeline, id }`; without arguments
 * they act on the row chosen in the panel.
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
  openCommit: 'dvmount:open-commit',
  newPipeline: 'dvmount:new-pipeline',
  openSpec: 'dvmount:open-spec',
  submitSpec: 'dvmount:submit-spec',
  publishCell: 'dvmount:publish-cell',
  editPipeline: 'dvmount:edit-pipeline',
  runPipeline: 'dvmount:run-pipeline',
  pausePipeline: 'dvmount:pause-pipeline',
  deletePipeline: 'dvmount:delete-pipeline',
  showJobs: 'dvmount:show-jobs',
  openJob: 'dvmount:open-job',
  stopJob: 'dvmount:stop-job',
  rerunJob: 'dvmount:rerun-job',
  mountOutput: 'dvmount:mount-output',
  openOutput: 'dvmount:open-output'
} as const;

/** What widgets need of the registry of commands. */
export type Execute = (id: string, args?: Parameters<CommandRegistry['execute']>[1]) => void;
