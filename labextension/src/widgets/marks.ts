import { StateEffect, StateField, type Extension } from '@codemirror/state';
import { Decoration, EditorView, ViewPlugin, type DecorationSet } from '@codemirror/view';

const setLines = StateEffect.define<readonly number[]>();
const marked = Decoration.line({ class: 'dvm-Spec-marked' });

const field = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (marks, transaction) => {
    const effect = transaction.effects.find(each => each.is(setLines));
    if (!effect) {
      return marks.map(transaction.changes);
    }
    const { doc } = transaction.state;
    const lines = effect.value.filter(line => line < doc.lines);
    return Decoration.set(
      lines.map(line => marked.range(doc.line(line + 1).from)),
      true
    );
  },
  provide: marks => EditorView.decorations.from(marks)
});

/** Marks whole lines of an editor that this extension is injected into. */
export class LineMarks {
  readonly extension: Extension = [
    field,
    ViewPlugin.define(view => {
      this._view = view;
      return {};
    })
  ];

  /**
   * @param lines - Numbers of the lines, from 0; all others are not marked any more.
   */
  show(lines: readonly number[]): void {
    this._view?.dispatch({ effects: setLines.of(lines) });
  }

  private _view: EditorView | null = null;
}
