import type { Branch, Commit, Mount, Repo } from '../api';

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

/** A promise that a test settles when it wants to. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>(settle => {
    resolve = settle;
  });
  return { promise, resolve };
}
