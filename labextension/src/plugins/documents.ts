import type { ILabShell, ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Message } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';

/** The content of a document, which may ask before it is closed. */
interface IContent extends Widget {
  /** Whether it may be closed; without this it may. */
  mayClose?(): Promise<boolean>;
}

class Document<W extends IContent> extends MainAreaWidget<W> {
  protected override onCloseRequest(message: Message): void {
    const close = () => super.onCloseRequest(message);
    void (this.content.mayClose?.() ?? Promise.resolve(true)).then(may => {
      if (may) {
        close();
      }
    });
  }
}

/** Documents of one kind: each is opened once, and is there again after a reload. */
export class Documents<W extends IContent> {
  /**
   * @param namespace - Unique name of the kind.
   * @param _labShell - Null in Notebook 7, which has one document in its main area: the notebook.
   */
  constructor(
    private readonly _app: JupyterFrontEnd,
    namespace: string,
    private readonly _labShell: ILabShell | null
  ) {
    this._tracker = new WidgetTracker({ namespace });
  }

  /** The document that the user looked at last, or null. */
  get current(): W | null {
    return this._tracker.currentWidget?.content ?? null;
  }

  /**
   * Show a document.
   *
   * @param id - Of its widget.
   * @param make - Makes its content, unless it is open.
   */
  show(id: string, make: () => W): W {
    let widget = this._tracker.find(open => open.id === id);
    if (!widget) {
      widget = new Document({ content: make() });
      widget.id = id;
      widget.title.closable = true;
      void this._tracker.add(widget);
      this._app.shell.add(widget, this._labShell ? 'main' : 'right');
    }
    this._app.shell.activateById(id);
    return widget.content;
  }

  /**
   * Open after a reload what was open before it.
   *
   * @param command - Opens a document.
   * @param args - What the command needs for one; null for one that cannot be opened again.
   */
  restoreWith(
    restorer: ILayoutRestorer | null,
    command: string,
    args: (content: W) => ReadonlyPartialJSONObject | null
  ): void {
    void restorer?.restore(this._tracker, {
      command,
      args: widget => args(widget.content) ?? {},
      // Without a name it is not opened again.
      name: widget => (args(widget.content) ? widget.id : '')
    });
  }

  private readonly _tracker: WidgetTracker<MainAreaWidget<W>>;
}
