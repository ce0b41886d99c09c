import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { commit } from './plugins/commit';
import { models } from './plugins/models';
import { mounting } from './plugins/mounting';
import { panel } from './plugins/panel';
import { status } from './plugins/status';
import { using } from './plugins/using';

export { IDataVersions } from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [models, panel, commit, mounting, using, status];

export default plugins;
