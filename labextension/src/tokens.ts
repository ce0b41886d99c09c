import { Token } from '@lumino/coreutils';

import type { DataVersions } from './models/versions';

/** What the token below provides. */
export type IDataVersions = DataVersions;

/** The models of repositories, mounts and health: what other plugins build upon. */
export const IDataVersions = new Token<IDataVersions>(
  'jupyter-dvmount:IDataVersions',
  'Versioned repositories, what is mounted of them, and how well mounting works here.'
);
