import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { codeIcon, copyIcon, folderIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { CommandIDs } from '../commands';
import { browserPath, openInFileBrowser } from '../filebrowser';
import { abridged } from '../format';
import { insertCode, notebookLanguage } from '../insert';
import type { DataVersions } from '../models/versions';
import { reporting, tell } from '../report';
import { findSample } from '../samples';
import { literal, snippet, type Variant } from '../snippets';
import { IDataVersions } from '../tokens';
import type { Services } from '../widgets/context';
import { servicesFor } from './services';
import { selectedMount, selectedRef } from './targets';

/** Commands that bring mounted files to where they are used. */
export const using: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dvmount:using',
  description: 'Commands that insert code for mounted files, copy their paths and show them.',
  autoStart: true,
  requires: [IDataVersions],
  optional: [ITranslator, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    versions: IDataVersions,
    translator: ITranslator | null,
    notebooks: INotebookTracker | null
  ) => {
    const services = servicesFor(app, versions, translator ?? nullTranslator);
    addInsertCode(app, services, notebooks);
    addCopying(app, services);
    addOpenInFileBrowser(app, services);
  }
};

function addInsertCode(
  app: JupyterFrontEnd,
  { versions, trans }: Services,
  notebooks: INotebookTracker | null
): void {
  const labels: Record<Variant, string> = {
    list: trans.__('List Files'),
    table: trans.__('Read a Table with pandas'),
    image: trans.__('Show an Image'),
    text: trans.__('Read a File'),
    path: trans.__('Path Only')
  };
  app.commands.addCommand(CommandIDs.insertCode, {
    label: args => labels[args.variant as Variant] ?? trans.__('Insert Code'),
    icon: args => (args.variant ? undefined : codeIcon),
    execute: reporting(async args => {
      const language = notebookLanguage(notebooks);
      const code = await codeFor(versions, args, !language || language === 'python', trans);
      if (code !== null && !insertCode(notebooks, code)) {
        Clipboard.copyToSystem(code);
        tell(trans.__('No notebook is open: the code is in the clipboard'));
      }
    })
  });
}

/** The code for a mounted path (`path`) or for a mount as a whole; null where neither is meant. */
async function codeFor(
  versions: DataVersions,
  args: ReadonlyPartialJSONObject,
  python: boolean,
  trans: TranslationBundle
): Promise<string | null> {
  const variant = (args.variant as Variant | undefined) ?? 'list';
  if (typeof args.path === 'string') {
    return python ? snippet(variant, args.path) : literal(args.path);
  }
  const mount = selectedMount(versions, args);
  if (!mount) {
    return null;
  }
  if (!python) {
    return literal(mount.path);
  }
  if (variant === 'list' || variant === 'path') {
    return snippet(variant, mount.path, mount.name);
  }
  const sample = await findSample(versions.api, mount, variant);
  if (sample === null) {
    tell(
      trans.__('No file of that kind was found in %1; the code lists what there is', mount.name)
    );
    return snippet('list', mount.path, mount.name);
  }
  return snippet(variant, mount.path + sample);
}

function addCopying(app: JupyterFrontEnd, { versions, trans }: Services): void {
  const copy = (text: string) => {
    Clipboard.copyToSystem(text);
    tell(trans.__('Copied: %1', abridged(text)));
  };
  app.commands.addCommand(CommandIDs.copyText, {
    label: trans.__('Copy'),
    icon: copyIcon,
    execute: args => copy(args.text as string)
  });
  app.commands.addCommand(CommandIDs.copyPath, {
    label: trans.__('Copy Path'),
    icon: copyIcon,
    isEnabled: args => selectedMount(versions, args) !== null,
    execute: args => {
      const mount = selectedMount(versions, args);
      if (mount) {
        copy(mount.path);
      }
    }
  });
  app.commands.addCommand(CommandIDs.copyReference, {
    label: trans.__('Copy Reference'),
    isEnabled: args => selectedRef(versions, args) !== null,
    execute: args => {
      const target = selectedRef(versions, args);
      if (target) {
        copy(`${target.repo}@${target.ref}`);
      }
    }
  });
}

function addOpenInFileBrowser(app: JupyterFrontEnd, { versions, trans }: Services): void {
  app.commands.addCommand(CommandIDs.openInFileBrowser, {
    label: trans.__('Open in File Browser'),
    icon: folderIcon,
    isVisible: args => {
      const mount = selectedMount(versions, args);
      return mount !== null && browserPath(app.commands, mount) !== null;
    },
    execute: reporting(async args => {
      const mount = selectedMount(versions, args);
      if (mount) {
        await openInFileBrowser(app.commands, mount);
      }
    })
  });
}
