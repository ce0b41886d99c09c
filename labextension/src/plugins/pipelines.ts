import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { deleteIcon, runIcon } from '@jupyterlab/ui-components';

import { ApiError } from '../api';
import { CommandIDs } from '../commands';
import { jobIcon, pauseIcon } from '../icons';
import { reporting, tell } from '../report';
import { IDataVersions } from '../tokens';
import type { Services } from '../widgets/context';
import { servicesFor } from './services';
import { selectedJob, selectedPipeline } from './targets';

/** Commands that act on pipelines; the settings' schema puts them into menus. */
export const pipelines: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dvmount:pipelines',
  description: 'Commands that run, pause and delete pipelines.',
  autoStart: true,
  requires: [IDataVersions],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, versions: IDataVersions, translator: ITranslator | null) => {
    const services = servicesFor(app, versions, translator ?? nullTranslator);
    addRunning(app, services);
    addDelete(app, services);
    addShowJobs(app, services);
  }
};

function addRunning(app: JupyterFrontEnd, { versions, trans }: Services): void {
  app.commands.addCommand(CommandIDs.runPipeline, {
    label: trans.__('Run Now'),
    icon: runIcon,
    isEnabled: args => selectedPipeline(versions, args) !== null,
    execute: reporting(async args => {
      const name = selectedPipeline(versions, args);
      if (name) {
        await versions.pipelines.run(name);
        void versions.jobs.refresh();
        if (versions.pipelines.get(name)?.state === 'paused') {
          tell(trans.__('%1 is paused: its job waits until it is resumed', name));
        }
      }
    })
  });
  app.commands.addCommand(CommandIDs.pausePipeline, {
    label: trans.__('Pause'),
    icon: pauseIcon,
    isEnabled: args => selectedPipeline(versions, args) !== null,
    isToggleable: true,
    isToggled: args => pausedNow(versions, args),
    execute: reporting(async args => {
      const name = selectedPipeline(versions, args);
      if (name) {
        await versions.pipelines.pause(name, !pausedNow(versions, args));
      }
    })
  });
}

function pausedNow(versions: IDataVersions, args: Parameters<typeof selectedPipeline>[1]): boolean {
  return versions.pipelines.get(selectedPipeline(versions, args) ?? '')?.state === 'paused';
}

function addDelete(app: JupyterFrontEnd, { versions, trans }: Services): void {
  const confirm = (title: string, body: string, label: string, checkbox: string) =>
    showDialog({
      title,
      body,
      checkbox: checkbox ? { label: checkbox, checked: false } : null,
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label })],
      defaultButton: 0
    });
  app.commands.addCommand(CommandIDs.deletePipeline, {
    label: trans.__('Delete Pipeline…'),
    icon: deleteIcon,
    isEnabled: args => selectedPipeline(versions, args) !== null,
    execute: reporting(async args => {
      const name = selectedPipeline(versions, args);
      if (!name) {
        return;
      }
      const { button, isChecked } = await confirm(
        trans.__('Delete pipeline %1?', name),
        trans.__(
          'Its jobs, their logs and its output %1 are deleted. This cannot be undone.',
          name
        ),
        trans.__('Delete'),
        trans.__('Keep the repository of its output')
      );
      if (!button.accept) {
        return;
      }
      const keepOutput = isChecked === true;
      try {
        await versions.pipelines.remove(name, { keepOutput, force: false });
      } catch (reason) {
        const { code, message } = ApiError.from(reason);
        if (code !== 'conflict') {
          throw reason;
        }
        const again = await confirm(
          trans.__('Delete %1 all the same?', name),
          trans.__('%1. They get nothing new any more.', message),
          trans.__('Delete all the same'),
          ''
        );
        if (again.button.accept) {
          await versions.pipelines.remove(name, { keepOutput, force: true });
        }
      }
      void versions.jobs.refresh();
    })
  });
}

function addShowJobs(app: JupyterFrontEnd, { versions, trans }: Services): void {
  app.commands.addCommand(CommandIDs.showJobs, {
    label: args =>
      args.related ? trans.__('Show All Jobs of This Id') : trans.__('Show Its Jobs'),
    icon: jobIcon,
    execute: async args => {
      const job = selectedJob(versions, args);
      if (args.related && job) {
        versions.jobs.show({ pipeline: '', id: job.id });
      } else {
        versions.jobs.show({ pipeline: selectedPipeline(versions, args) ?? '', id: '' });
      }
      await app.commands.execute(CommandIDs.showPanel);
    }
  });
}
