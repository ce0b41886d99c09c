import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { folderIcon, redoIcon, stopIcon } from '@jupyterlab/ui-components';

import type { JobKey, Mount } from '../api';
import { CommandIDs } from '../commands';
import { mountAsking } from '../dialogs';
import { openInFileBrowser } from '../filebrowser';
import { jobIcon, mountIcon } from '../icons';
import { JobModel } from '../models/job';
import { isOver } from '../models/jobs';
import { defaultName } from '../models/mounts';
import { freeName } from '../naming';
import { reporting, tell } from '../report';
import { IDataVersions } from '../tokens';
import type { Services } from '../widgets/context';
import { JobView } from '../widgets/job';
import { Documents } from './documents';
import { servicesFor } from './services';
import { selectedJob } from './targets';

const NAMESPACE = 'jupyter-dvmount-jobs';

/** Job documents, and the commands that act on jobs. */
export const jobs: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dvmount:jobs',
  description:
    'Shows jobs in the main area; commands that stop them, run them again and use their output.',
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
    const documents = new Documents<JobView>(app, NAMESPACE, labShell);
    addOpen(app, services, documents);
    documents.restoreWith(restorer, CommandIDs.openJob, ({ model }) => ({ ...model.key }));
    addStop(app, services);
    addOutput(app, services);
  }
};

function addOpen(app: JupyterFrontEnd, services: Services, documents: Documents<JobView>): void {
  const { versions, trans } = services;
  app.commands.addCommand(CommandIDs.openJob, {
    label: trans.__('Show Job'),
    icon: jobIcon,
    isEnabled: args => selectedJob(versions, args) !== null,
    execute: reporting(async args => {
      const key = selectedJob(versions, args);
      if (key) {
        const { pipeline, id } = key;
        documents.show(`dvmount-job-${pipeline.replace('/', '-')}-${id}`, () => {
          const model = new JobModel(versions, key);
          return new JobView(model, services);
        });
      }
      return Promise.resolve();
    })
  });
}

function addStop(app: JupyterFrontEnd, { versions, trans }: Services): void {
  app.commands.addCommand(CommandIDs.stopJob, {
    label: trans.__('Stop Job'),
    icon: stopIcon,
    isVisible: args => {
      const job = versions.jobs.get(selectedJob(versions, args));
      return !job || !isOver(job);
    },
    execute: reporting(async args => {
      const key = selectedJob(versions, args);
      if (key) {
        await versions.jobs.stop(key);
      }
    })
  });
  app.commands.addCommand(CommandIDs.rerunJob, {
    label: args =>
      args.all ? trans.__('Run Everything Again') : trans.__('Run Again What Has Failed'),
    icon: redoIcon,
    isVisible: args => {
      const job = versions.jobs.get(selectedJob(versions, args));
      return !job || (isOver(job) && (args.all === true || job.state !== 'success'));
    },
    execute: reporting(async args => {
      const key = selectedJob(versions, args);
      if (key) {
        await versions.jobs.rerun(key, args.all !== true);
      }
    })
  });
}

function addOutput(app: JupyterFrontEnd, { versions, trans }: Services): void {
  /** The mount of what a job has made, made where there is none; null for none and where cancelled. */
  const mounted = async (key: JobKey): Promise<Mount | null> => {
    const { output_commit: output, state } = await versions.api.job(key);
    if (!output || state !== 'success') {
      tell(trans.__('%1 has no output that can be mounted: it is %2', key.pipeline, state));
      return null;
    }
    await versions.mounts.refresh();
    const { repo, id: ref } = output;
    const [there] = versions.mounts.of(repo, ref);
    if (there) {
      return there;
    }
    const taken = new Set(versions.mounts.mounts.map(mount => mount.name));
    const name = taken.has(defaultName(repo)) ? freeName(repo, ref, taken) : undefined;
    return mountAsking(versions.mounts, { repo, ref, name }, trans);
  };
  app.commands.addCommand(CommandIDs.mountOutput, {
    label: trans.__('Mount Output'),
    icon: mountIcon,
    isVisible: args => mayHaveOutput(versions, args),
    execute: reporting(async args => {
      const key = selectedJob(versions, args);
      const mount = key && (await mounted(key));
      if (mount) {
        tell(trans.__('Mounted as %1', mount.path));
      }
    })
  });
  app.commands.addCommand(CommandIDs.openOutput, {
    label: trans.__('Open Output'),
    icon: folderIcon,
    isVisible: args => mayHaveOutput(versions, args),
    execute: reporting(async args => {
      const key = selectedJob(versions, args);
      const mount = key && (await mounted(key));
      if (mount && !(await openInFileBrowser(app.commands, mount))) {
        // The file browser shows nothing outside of the server's root directory.
        await app.commands.execute(CommandIDs.openCommit, { repo: mount.repo, ref: mount.commit });
      }
    })
  });
}

/** Whether a job may have an output: surely not one of which the opposite is known. */
function mayHaveOutput(versions: IDataVersions, args: Parameters<typeof selectedJob>[1]): boolean {
  const job = versions.jobs.get(selectedJob(versions, args));
  return !job || job.state === 'success';
}
