import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { askReference, mountAsking } from '../dialogs';
import { mountIcon, unmountIcon } from '../icons';
import { reporting, tell } from '../report';
import { IDataVersions } from '../tokens';
import type { Services } from '../widgets/context';
import { servicesFor } from './services';
import { selectedMount, selectedRef } from './targets';

const PLUGIN_ID = 'jupyter-dvmount:mounting';

/** Commands that change what is mounted; the settings' schema puts them into menus. */
export const mounting: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Commands that mount, unmount and move mounts.',
  autoStart: true,
  requires: [IDataVersions],
  optional: [ITranslator, ISettingRegistry, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    versions: IDataVersions,
    translator: ITranslator | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null
  ) => {
    const services = servicesFor(app, versions, translator ?? nullTranslator);
    const settings = registry?.load(PLUGIN_ID).catch(() => null);
    addMount(app, services, async () => (await settings)?.composite['follow'] === true);
    addUnmount(app, services);
    addMoving(app, services);
    palette?.addItem({
      command: CommandIDs.mount,
      category: services.trans.__('Data Versions'),
      args: { ask: true }
    });
  }
};

function addMount(
  app: JupyterFrontEnd,
  { versions, trans }: Services,
  followByDefault: () => Promise<boolean>
): void {
  app.commands.addCommand(CommandIDs.mount, {
    label: args => (args.ask ? trans.__('Mount a Version of Data…') : trans.__('Mount')),
    icon: mountIcon,
    execute: reporting(async args => {
      const { selected } = versions.selection;
      const suggestion = selected?.kind === 'repo' && !args.ask ? `${selected.repo}@` : '';
      const target =
        (args.ask ? null : selectedRef(versions, args)) ?? (await askReference(trans, suggestion));
      if (!target) {
        return;
      }
      const follow = await followByDefault();
      const mount = await mountAsking(versions.mounts, { ...target, follow }, trans);
      if (mount && !versions.watched) {
        tell(trans.__('Mounted as %1', mount.path));
      }
    })
  });
  app.commands.addCommand(CommandIDs.cancelMount, {
    label: trans.__('Cancel Mounting'),
    execute: reporting(args => versions.mounts.cancel(args.name as string))
  });
}

function addUnmount(app: JupyterFrontEnd, { versions, trans }: Services): void {
  app.commands.addCommand(CommandIDs.unmount, {
    label: trans.__('Unmount'),
    icon: unmountIcon,
    isEnabled: args => selectedMount(versions, args) !== null,
    execute: reporting(async args => {
      const mount = selectedMount(versions, args);
      if (!mount) {
        return;
      }
      const { holders } = await versions.mounts.unmount(mount.name);
      if (holders.length) {
        const readers = holders.map(holder => `${holder.command} (${holder.pid})`).join(', ');
        tell(
          trans.__('%1 is unmounted. Still reading files that are open: %2', mount.name, readers)
        );
      }
    })
  });
}

function addMoving(app: JupyterFrontEnd, { versions, trans }: Services): void {
  app.commands.addCommand(CommandIDs.update, {
    label: trans.__('Update to the Newest Commit'),
    icon: refreshIcon,
    isVisible: args => selectedMount(versions, args)?.moved === true,
    execute: reporting(async args => {
      const mount = selectedMount(versions, args);
      if (mount) {
        await versions.mounts.update(mount);
      }
    })
  });
  app.commands.addCommand(CommandIDs.follow, {
    label: trans.__('Follow the Branch'),
    isVisible: args => Boolean(selectedMount(versions, args)?.branch),
    isToggleable: true,
    isToggled: args => selectedMount(versions, args)?.follow === true,
    execute: reporting(async args => {
      const mount = selectedMount(versions, args);
      if (mount) {
        await versions.mounts.follow(mount, !mount.follow);
      }
    })
  });
}
