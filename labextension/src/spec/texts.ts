import { stringify } from 'yaml';

import type { Mount } from '../api';
import { defaultName } from '../models/mounts';

/** A repository's name, where there is none to suggest. */
const EXAMPLE = 'images';

/** What a spec reads. */
type Input = { readonly repo: string; readonly branch: string; readonly glob: string };

/** A cell that is to become a pipeline, and what is known around it. */
export type Cell = {
  readonly code: string;
  /** Path of its notebook. */
  readonly notebook: string;
  /** The interpreter that runs it, as its kernel says, or a name to look for. */
  readonly python: string;
};

/** A spec in YAML, as people write it. */
export function specText(spec: unknown): string {
  return stringify(spec, { lineWidth: 0, blockQuote: 'literal' });
}

/** The spec to begin with, where there is nothing else. */
export function newSpec(repo: string | null): string {
  const name = defaultName(repo ?? EXAMPLE);
  return [
    'pipeline:',
    '  name: my-pipeline # also the repository of its output',
    'input:',
    '  pfs:',
    `    repo: ${repo ?? EXAMPLE}`,
    '    branch: master',
    '    glob: /* # one run for each file or directory at the top; "/" is one run for everything',
    'transform:',
    `  # Runs with its data in /pfs/${name}, and writes to /pfs/out.`,
    `  cmd: [sh, -c, "cp -r /pfs/${name}/. /pfs/out/"]`,
    ''
  ].join('\n');
}

/**
 * The spec whose code is a cell.
 *
 * Where the cell reads a mount, the pipeline reads the same data in /pfs instead: in a job, mounts
 * of the user's are not what the job's commit says.
 *
 * @param mounts - What is mounted now.
 * @param repo - A repository to suggest where the cell reads no mount.
 */
export function cellSpec(cell: Cell, mounts: readonly Mount[], repo: string | null): string {
  const read = mounts.filter(mount => pathPattern(mount.path).test(cell.code));
  const code = read.reduce(
    (text, mount) => text.replace(pathPattern(mount.path), `/pfs/${defaultName(mount.repo)}`),
    cell.code
  );
  const inputs = read.length
    ? read.map(({ repo, branch }) => ({ repo, branch: branch || 'master', glob: '/' }))
    : [{ repo: repo ?? EXAMPLE, branch: 'master', glob: '/' }];
  const head =
    '# Runs with its data in /pfs/<repo>, and writes its results to /pfs/out. The glob says what one run\n' +
    '# sees: "/" everything, "/*" one file or directory at the top, each in a run of its own.\n';
  return (
    head +
    specText({
      pipeline: { name: pipelineName(cell.notebook) },
      input: inputOf(inputs),
      transform: { cmd: [cell.python, '-'], stdin: [`${code.trimEnd()}\n`] }
    })
  );
}

function inputOf(inputs: readonly Input[]): unknown {
  const unique = [...new Map(inputs.map(input => [input.repo, { pfs: input }])).values()];
  return unique.length > 1 ? { cross: unique } : unique[0];
}

/** Finds a path where it is one, not the beginning of another's name. */
function pathPattern(path: string): RegExp {
  const literal = path.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`${literal}(?![\\w.-])`, 'g');
}

/** A legal name of a pipeline after a notebook. */
export function pipelineName(notebook: string): string {
  const base = notebook.slice(notebook.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
  const legal = base
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return legal || 'my-pipeline';
}
