import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { Api } from '../api';
import { DataVersions } from '../models/versions';
import { IDataVersions } from '../tokens';

/** Provides the models that everything else renders. */
export const models: JupyterFrontEndPlugin<DataVersions> = {
  id: 'jupyter-dvmount:models',
  description: 'Knows the versioned repositories, what is mounted of them, and keeps that fresh.',
  autoStart: true,
  provides: IDataVersions,
  activate: (app: JupyterFrontEnd) => {
    const { events, serverSettings } = app.serviceManager;
    return new DataVersions(new Api(serverSettings), events.stream);
  }
};
