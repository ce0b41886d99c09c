import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { folderIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { CommitModel } from '../models/files';
import { isCommitId } from '../naming';
import { reporting } from '../report';
import { IDataVersions } from '../tokens';
import { CommitView } from '../widgets/commit';
import { Documents } from './documents';
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
    const documents = new Documents<CommitView>(app, NAMESPACE, labShell);
    const show = (repo: string, id: string) =>
      documents.show(`dvmount-commit-${repo.replace('/', '-')}-${id}`, () => {
        const model = new CommitModel(versions.api, repo, id);
        void model.refresh();
        return new CommitView(model, services);
      });

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

    documents.restoreWith(restorer, CommandIDs.openCommit, ({ model }) => ({
      repo: model.repo,
      ref: model.ref
    }));
  }
};
