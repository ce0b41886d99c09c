import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';

import { notebookLanguage } from './insert';
import type { Cell } from './spec/texts';

/** How long a kernel that is busy may take to name its interpreter, ms. */
const PATIENCE_MS = 2000;
const INTERPRETER = "__import__('sys').executable";
const ANY_PYTHON = 'python3';

/** Whether the active cell of the current notebook is code that may be a pipeline. */
export function isCodeCell(tracker: INotebookTracker | null): boolean {
  const cell = tracker?.activeCell?.model;
  return cell?.type === 'code' && notebookLanguage(tracker) === 'python';
}

/** The active cell of the current notebook; null where that is no Python. */
export async function activeCell(tracker: INotebookTracker | null): Promise<Cell | null> {
  const panel = tracker?.currentWidget;
  const cell = tracker?.activeCell;
  if (!panel || !cell || !isCodeCell(tracker)) {
    return null;
  }
  return {
    code: cell.model.sharedModel.getSource(),
    notebook: panel.context.path,
    python: await interpreter(panel.sessionContext.session?.kernel ?? null)
  };
}

/** The interpreter of a kernel, which has the libraries that the cell uses. */
async function interpreter(kernel: Kernel.IKernelConnection | null): Promise<string> {
  if (!kernel) {
    return ANY_PYTHON;
  }
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    user_expressions: { python: INTERPRETER }
  });
  const late = new Promise<null>(resolve => setTimeout(() => resolve(null), PATIENCE_MS));
  const reply = await Promise.race([future.done, late]).catch(() => null);
  future.dispose();
  const content = reply?.content as { user_expressions?: Record<string, unknown> } | undefined;
  const found = content?.user_expressions?.python as { data?: Record<string, string> } | undefined;
  const path = /^'([^'\\]+)'$/.exec(found?.data?.['text/plain'] ?? '');
  return path ? path[1] : ANY_PYTHON;
}
