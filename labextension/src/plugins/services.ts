import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ITranslator } from '@jupyterlab/translation';

import type { DataVersions } from '../models/versions';
import { reportError } from '../report';
import type { Services } from '../widgets/context';

/** The translation domain of this extension. */
const DOMAIN = 'jupyter_dvmount';

/** What the widgets need, from what the plugins have. */
export function servicesFor(
  app: JupyterFrontEnd,
  versions: DataVersions,
  translator: ITranslator
): Services {
  return {
    versions,
    trans: translator.load(DOMAIN),
    execute: (id, args) => void app.commands.execute(id, args).catch(reportError)
  };
}
