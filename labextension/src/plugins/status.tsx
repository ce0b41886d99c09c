import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import { IDataVersions } from '../tokens';
import { MountCount } from '../widgets/count';
import { ServicesProvider } from '../widgets/context';
import { servicesFor } from './services';

/** How much is mounted, in the status bar; nothing there while nothing is. */
export const status: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dvmount:status',
  description: 'Shows in the status bar how many versions are mounted.',
  autoStart: true,
  requires: [IDataVersions],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    versions: IDataVersions,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (!statusBar) {
      return; // Notebook 7 has none
    }
    const services = servicesFor(app, versions, translator ?? nullTranslator);
    const { mounts } = versions;
    const item = ReactWidget.create(
      <ServicesProvider services={services}>
        <MountCount />
      </ServicesProvider>
    );
    statusBar.registerStatusItem('jupyter-dvmount:status', {
      item,
      align: 'left',
      rank: 20,
      isActive: () => mounts.mounts.length > 0,
      activeStateChanged: mounts.changed
    });
    void app.restored.then(() => mounts.refresh());
  }
};
