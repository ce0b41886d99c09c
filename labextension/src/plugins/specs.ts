import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { addIcon, editIcon, fileUploadIcon } from '@jupyterlab/ui-components';
import { UUID } from '@lumino/coreutils';

import { CommandIDs } from '../commands';
import { pipelineIcon } from '../icons';
import { SpecModel } from '../models/spec';
import { activeCell, isCodeCell } from '../notebookcell';
import { reporting, tell } from '../report';
import { IDataVersions } from '../tokens';
import type { Services } from '../widgets/context';
import type { SpecEditor } from '../widgets/spec';
import { Documents } from './documents';
import { servicesFor } from './services';
import { selectedPipeline } from './targets';

const NAMESPACE = 'jupyter-dvmount-specs';
const SPEC_FILE = /\.(json|jsonc|json5|ya?ml)$/i;

/** Opens an editor, with a text that is made by what makes texts of specs. */
type Open = (
  text: (texts: typeof import('../spec/texts')) => string,
  pipeline?: string
) => Promise<void>;

/** Editors of specs, and the commands that open one: empty, from a file, from a cell, of a pipeline. */
export const specs: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dvmount:specs',
  description: 'Edits the specs of pipelines, and publishes cells of notebooks as pipelines.',
  autoStart: true,
  requires: [IDataVersions],
  optional: [
    IEditorServices,
    ITranslator,
    ILabShell,
    ILayoutRestorer,
    ICommandPalette,
    IDocumentManager,
    INotebookTracker
  ],
  activate: (
    app: JupyterFrontEnd,
    versions: IDataVersions,
    editors: IEditorServices | null,
    translator: ITranslator | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    files: IDocumentManager | null,
    notebooks: INotebookTracker | null
  ) => {
    if (!editors) {
      return;
    }
    const services = servicesFor(app, versions, translator ?? nullTranslator);
    const documents = new Documents<SpecEditor>(app, NAMESPACE, labShell);
    // The editor and the library for YAML are loaded when they are first needed.
    const open: Open = async (text, pipeline) => {
      const [{ SpecEditor }, texts] = await Promise.all([
        import('../widgets/spec'),
        import('../spec/texts')
      ]);
      const id = pipeline ? pipeline.replace('/', '-') : UUID.uuid4();
      documents.show(`dvmount-spec-${id}`, () => {
        const model = new SpecModel(versions.api, versions.pipelines, text(texts), pipeline);
        return new SpecEditor(model, services, editors);
      });
    };
    addEditing(app, services, open);
    addSubmit(app, services, documents);
    addPublishCell(app, services, notebooks, open);
    if (files) {
      addOpenFile(app, services, files, open);
    }
    documents.restoreWith(restorer, CommandIDs.editPipeline, ({ model }) =>
      model.pipeline ? { pipeline: model.pipeline } : null
    );
    const category = services.trans.__('Data Versions');
    for (const command of [CommandIDs.newPipeline, CommandIDs.openSpec, CommandIDs.publishCell]) {
      if (app.commands.hasCommand(command)) {
        palette?.addItem({ command, category });
      }
    }
  }
};

/** A repository to suggest as input: one that is mounted, else the first one. */
async function suggestedRepo({ versions }: Services): Promise<string | null> {
  await versions.mounts.refresh();
  const [mount] = versions.mounts.mounts;
  if (mount) {
    return mount.repo;
  }
  const { items } = await versions.api.repos({});
  return items.find(repo => repo.type === 'user')?.name ?? null;
}

function addEditing(app: JupyterFrontEnd, services: Services, open: Open): void {
  const { versions, trans } = services;
  app.commands.addCommand(CommandIDs.newPipeline, {
    label: trans.__('New Pipeline'),
    icon: addIcon,
    execute: reporting(async () => {
      const repo = await suggestedRepo(services);
      await open(texts => texts.newSpec(repo));
    })
  });
  app.commands.addCommand(CommandIDs.editPipeline, {
    label: trans.__('Edit Spec'),
    icon: editIcon,
    isEnabled: args => selectedPipeline(versions, args) !== null,
    execute: reporting(async args => {
      const name = selectedPipeline(versions, args);
      if (name) {
        const { spec } = await versions.api.pipeline(name);
        await open(texts => texts.specText(spec), name);
      }
    })
  });
}

function addSubmit(
  app: JupyterFrontEnd,
  { versions, trans }: Services,
  documents: Documents<SpecEditor>
): void {
  app.commands.addCommand(CommandIDs.submitSpec, {
    label: trans.__('Create or Update Pipeline'),
    icon: pipelineIcon,
    isEnabled: () => documents.current !== null,
    execute: reporting(async args => {
      const model = documents.current?.model;
      if (model) {
        const names = await model.submit(args.reprocess === true);
        tell(trans.__('Done: %1', names.join(', ')));
        versions.jobs.show({ pipeline: '', id: '' });
        await app.commands.execute(CommandIDs.showPanel);
      }
    })
  });
}

function addPublishCell(
  app: JupyterFrontEnd,
  services: Services,
  notebooks: INotebookTracker | null,
  open: Open
): void {
  const { versions, trans } = services;
  app.commands.addCommand(CommandIDs.publishCell, {
    label: trans.__('Publish Cell as Pipeline'),
    caption: trans.__('Publish this cell as a pipeline, which runs it whenever its data changes'),
    icon: pipelineIcon,
    isVisible: () => isCodeCell(notebooks),
    execute: reporting(async () => {
      const cell = await activeCell(notebooks);
      if (cell) {
        const repo = await suggestedRepo(services);
        await open(texts => texts.cellSpec(cell, versions.mounts.mounts, repo));
      }
    })
  });
}

function addOpenFile(
  app: JupyterFrontEnd,
  { trans }: Services,
  manager: IDocumentManager,
  open: Open
): void {
  app.commands.addCommand(CommandIDs.openSpec, {
    label: trans.__('New Pipeline from a Spec File…'),
    icon: fileUploadIcon,
    execute: reporting(async () => {
      const answer = await FileDialog.getOpenFiles({
        manager,
        title: trans.__('Choose a spec'),
        filter: file => (file.type === 'directory' || SPEC_FILE.test(file.name) ? {} : null)
      });
      for (const { path } of answer.value ?? []) {
        const file = await manager.services.contents.get(path, { type: 'file', format: 'text' });
        await open(() => file.content as string);
      }
    })
  });
}
