import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { dvmountIcon } from '../icons';
import { IDataVersions } from '../tokens';
import { Panel } from '../widgets/panel';
import { servicesFor } from './services';

const RANK = 250;

/** The sidebar, and the commands that show and refresh it. */
export const panel: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dvmount:panel',
  description: 'A sidebar with versioned repositories and what is mounted of them.',
  autoStart: true,
  requires: [IDataVersions],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    versions: IDataVersions,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const services = servicesFor(app, versions, translator ?? nullTranslator);
    const { trans } = services;
    const widget = new Panel(services);
    app.shell.add(widget, 'left', { rank: RANK, type: trans.__('Data versions') });
    restorer?.add(widget, widget.id);

    app.commands.addCommand(CommandIDs.showPanel, {
      label: trans.__('Show Data Versions'),
      icon: dvmountIcon,
      execute: () => app.shell.activateById(widget.id)
    });
    app.commands.addCommand(CommandIDs.refresh, {
      label: trans.__('Refresh Data Versions'),
      icon: refreshIcon,
      execute: () => versions.refresh()
    });
    const category = trans.__('Data Versions');
    for (const command of [CommandIDs.showPanel, CommandIDs.refresh]) {
      palette?.addItem({ command, category });
    }
  }
};
