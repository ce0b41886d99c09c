import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { folderIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { CommitModel } from '../models/files';
import { isCommitId } from '../naming';
import { reporting } from '../report';
import { IDataVersions } from '../tokens';
import { CommitView } from '../widgets/commit';
import { servicesFor } from './services';
import { selectedRef } from './targets';

const NAMESPACE = 'jupyter-dvmount-commits';

/** Commit documents, and the command that opens one. */
export const commit: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dvmount:commit',
  description: 'Shows a commit and its files in the main area.',
  autoStart: true,
  requires: [IDataVersions],
  optional: [ITranslator, ILabShell, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    versions: IDataVersions,
    translator: ITranslator | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null
  ) => {
    const services = servicesFor(app, versions, translator ?? nullTranslator);
    const tracker = new WidgetTracker<MainAreaWidget<CommitView>>({ namespace: NAMESPACE });
    // Notebook 7 has one document in its main area, and that is the notebook.
    const area = labShell ? 'main' : 'right';

    const show = (repo: string, id: string): void => {
      const widgetId = `dvmount-commit-${repo.replace('/', '-')}-${id}`;
      let widget = tracker.find(open => open.id === widgetId);
      if (!widget) {
        const model = new CommitModel(versions.api, repo, id);
        const content = new CommitView(model, services);
        widget = new MainAreaWidget({ content });
        widget.id = widgetId;
        widget.title.closable = true;
        void model.refresh();
        void tracker.add(widget);
        app.shell.add(widget, area);
      }
      app.shell.activateById(widget.id);
    };

    app.commands.addCommand(CommandIDs.openCommit, {
      label: services.trans.__('Show Files'),
      icon: folderIcon,
      isVisible: () => selectedRef(versions) !== null,
      execute: reporting(async args => {
        const target = selectedRef(versions, args);
        if (target) {
          const { repo, ref } = target;
          show(repo, isCommitId(ref) ? ref : (await versions.api.commit(repo, ref)).id);
        }
      })
    });

    void restorer?.restore(tracker, {
      command: CommandIDs.openCommit,
      args: widget => ({ repo: widget.content.model.repo, ref: widget.content.model.ref }),
      name: widget => widget.id
    });
  }
};
