import { InputDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { ApiError, type Mount, type MountRequest } from './api';
import type { MountsModel } from './models/mounts';
import { freeName, parseReference } from './naming';

/**
 * Mount a commit; where the name is taken, ask for another one until it works or the user gives up.
 *
 * @returns The mount, or null where the user gave up or cancelled.
 */
export async function mountAsking(
  mounts: MountsModel,
  request: MountRequest,
  trans: TranslationBundle
): Promise<Mount | null> {
  let wanted = request;
  for (;;) {
    try {
      return await mounts.mount(wanted);
    } catch (reason) {
      const error = ApiError.from(reason);
      const named = wanted !== request && error.code === 'invalid';
      if (error.code !== 'already_exists' && !named) {
        throw reason;
      }
      const taken = new Set(mounts.mounts.map(mount => mount.name));
      taken.add(wanted.name ?? freeName(request.repo, request.ref, new Set()));
      const answer = await InputDialog.getText({
        title: trans.__('Choose a name for the mount'),
        label: `${error.message}.`.replace(/\.\.$/, '.'),
        text: named ? wanted.name : freeName(request.repo, request.ref, taken),
        okLabel: trans.__('Mount')
      });
      const name = answer.value?.trim();
      if (!answer.button.accept || !name) {
        return null;
      }
      wanted = { ...request, name };
    }
  }
}

/** Ask which commit is meant; null where the user gave up. */
export async function askReference(
  trans: TranslationBundle,
  suggestion: string
): Promise<{ repo: string; ref: string } | null> {
  let text = suggestion;
  for (;;) {
    const answer = await InputDialog.getText({
      title: trans.__('Mount'),
      label: trans.__('Repository and branch or commit, as in images@master'),
      text,
      selectionRange: text.length,
      okLabel: trans.__('Mount')
    });
    if (!answer.button.accept) {
      return null;
    }
    text = answer.value ?? '';
    const reference = parseReference(text);
    if (reference) {
      return reference;
    }
  }
}
