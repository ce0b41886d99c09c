import type { INotebookTracker } from '@jupyterlab/notebook';

/** Language of the current notebook's kernel in lower case; empty without a notebook. */
export function notebookLanguage(tracker: INotebookTracker | null): string {
  const model = tracker?.currentWidget?.content.model;
  return model ? (model.defaultKernelLanguage || 'python').toLowerCase() : '';
}

/**
 * Put code into the current notebook: at the cursor of a code cell that is being edited, into an
 * empty code cell, else into a new cell below.
 *
 * @returns Whether there was a notebook that could take it.
 */
export function insertCode(tracker: INotebookTracker | null, code: string): boolean {
  const notebook = tracker?.currentWidget?.content;
  if (!notebook?.model || notebook.model.readOnly) {
    return false;
  }
  const cell = notebook.activeCell;
  const writable = cell?.model.type === 'code' && cell.model.getMetadata('editable') !== false;
  const empty = writable && !cell.model.sharedModel.getSource().trim();
  if (empty) {
    cell.model.sharedModel.setSource(code);
  } else if (writable && notebook.mode === 'edit' && cell.editor?.replaceSelection) {
    cell.editor.replaceSelection(code);
  } else {
    const index = cell ? notebook.activeCellIndex + 1 : 0;
    const metadata = { trusted: true };
    notebook.model.sharedModel.insertCell(index, { cell_type: 'code', source: code, metadata });
    notebook.deselectAll();
    notebook.activeCellIndex = index;
    void notebook.scrollToItem(index, 'smart');
  }
  return true;
}
