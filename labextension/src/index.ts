import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { commit } from './plugins/commit';
import { jobs } from './plugins/jobs';
import { models } from './plugins/models';
import { mounting } from './plugins/mounting';
import { panel } from './plugins/panel';
import { pipelines } from './plugins/pipelines';
import { specs } from './plugins/specs';
import { status } from './plugins/status';
import { using } from './plugins/using';

export { IDataVersions } from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  models,
  panel,
  commit,
  mounting,
  using,
  pipelines,
  jobs,
  specs,
  status
];

export default plugins;
