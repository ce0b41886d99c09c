import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Mount } from '../api';
import type { DataVersions } from '../models/versions';

/** The commit that a command is about: its arguments, or else the row chosen in the panel. */
export function selectedRef(
  versions: DataVersions,
  args: ReadonlyPartialJSONObject = {}
): { repo: string; ref: string } | null {
  const { repo, ref } = args;
  if (typeof repo === 'string' && typeof ref === 'string') {
    return { repo, ref };
  }
  const { selected } = versions.selection;
  switch (selected?.kind) {
    case 'branch':
      return { repo: selected.repo, ref: selected.branch };
    case 'commit':
      return { repo: selected.repo, ref: selected.commit };
    case 'mount': {
      const mount = versions.mounts.get(selected.name);
      return mount ? { repo: mount.repo, ref: mount.commit } : null;
    }
    default:
      return null;
  }
}

/** The mount that a command is about: its argument, or else the row chosen in the panel. */
export function selectedMount(
  versions: DataVersions,
  args: ReadonlyPartialJSONObject = {}
): Mount | null {
  const { selected } = versions.selection;
  const name =
    typeof args.name === 'string' ? args.name : selected?.kind === 'mount' ? selected.name : '';
  return versions.mounts.get(name) ?? null;
}
