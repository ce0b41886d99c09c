import type { Event } from '@jupyterlab/services';

import type { Branch, Commit, Job, Mount, Pipeline, Repo } from '../api';
import type { JobEvent } from '../models/events';

const TIME = '2026-01-02T03:04:05Z';
export const ID = '0123456789abcdef0123456789abcdef';

/** Records as the server sends them, with what a test is about put in. */
export function repo(name: string): Repo {
  return { name, type: 'user', description: '', created: TIME, size: 1, branches: 1 };
}

export function branch(name: string, head: string | null = ID): Branch {
  return { repo: 'images', name, head, open: null, moved: TIME, size: 1, trigger: null };
}

export function commit(id: string): Commit {
  return {
    repo: 'images',
    branch: 'master',
    id,
    state: 'finished',
    message: '',
    author: '',
    parent: null,
    provenance: [],
    origin: 'user',
    size: 1,
    files: 1,
    started: TIME,
    finished: TIME,
    error: ''
  };
}

export function mount(name: string, more: Partial<Mount> = {}): Mount {
  return {
    name,
    path: `/home/dvmount/${name}`,
    target: `/state/fs/${name}`,
    repo: 'images',
    branch: 'master',
    commit: ID,
    follow: false,
    mode: 'fuse',
    moved: false,
    error: '',
    ...more
  };
}

export function pipeline(name: string, more: Partial<Pipeline> = {}): Pipeline {
  return {
    name,
    version: 1,
    state: 'running',
    description: '',
    created: TIME,
    updated: TIME,
    input: ['images@master'],
    output: `${name}@master`,
    last_job: ID,
    last_job_state: 'success',
    spec: { pipeline: { name } },
    ...more
  };
}

export function job(name: string, more: Partial<Job> = {}): Job {
  return {
    pipeline: name,
    id: ID,
    state: 'success',
    reason: '',
    version: 1,
    created: TIME,
    started: TIME,
    finished: TIME,
    datums: { total: 3, success: 3, skipped: 0, failed: 0, recovered: 0 },
    input: [{ repo: 'images', branch: 'master', commit: ID, upstream: '' }],
    output_commit: { repo: name, id: ID },
    tier: 'bubblewrap',
    executor: 'local',
    tracking: null,
    ...more
  };
}

/** What the server tells when a job gets to that. */
export function jobEvent(name: string, more: Partial<Job> = {}): JobEvent & Event.Emission {
  const { pipeline: of, id, state, reason, datums } = job(name, more);
  return { schema_id: 'urn:jupyter-dvmount:job:v1', pipeline: of, id, state, reason, datums };
}

/** A promise that a test settles when it wants to. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>(settle => {
    resolve = settle;
  });
  return { promise, resolve };
}
