import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { JobKey, Mount } from '../api';
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
    case 'job': {
      const output = versions.jobs.get(selected)?.output_commit;
      return output ? { repo: output.repo, ref: output.id } : null;
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

/** The name of the pipeline that a command is about: its argument, or else the row chosen. */
export function selectedPipeline(
  versions: DataVersions,
  args: ReadonlyPartialJSONObject = {}
): string | null {
  const { selected } = versions.selection;
  if (typeof args.pipeline === 'string') {
    return args.pipeline;
  }
  return selected?.kind === 'pipeline' ? selected.pipeline : null;
}

/** The job that a command is about: its arguments, or else the row chosen in the panel. */
export function selectedJob(
  versions: DataVersions,
  args: ReadonlyPartialJSONObject = {}
): JobKey | null {
  const { pipeline, id } = args;
  if (typeof pipeline === 'string' && typeof id === 'string') {
    return { pipeline, id };
  }
  const { selected } = versions.selection;
  return selected?.kind === 'job' ? { pipeline: selected.pipeline, id: selected.id } : null;
}
