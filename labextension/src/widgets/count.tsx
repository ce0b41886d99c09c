import React from 'react';

import { CommandIDs } from '../commands';
import { dvmountIcon } from '../icons';
import { useModel, useServices } from './context';

/** The number of mounts, and whether a branch of one has moved. */
export function MountCount(): JSX.Element {
  const { versions, execute, trans } = useServices();
  const { mounts } = useModel(versions.mounts);
  const moved = mounts.filter(mount => mount.moved).length;
  const title = moved
    ? trans._n('%1 branch has moved', '%1 branches have moved', moved)
    : trans.__('Show data versions');
  return (
    <button
      type="button"
      className="jp-StatusBar-TextItem dvm-MountCount"
      title={title}
      onClick={() => execute(CommandIDs.showPanel)}
    >
      <dvmountIcon.react tag="span" className="dvm-IconButton-icon" />
      {trans._n('%1 mounted', '%1 mounted', mounts.length)}
      {moved > 0 && <span className="dvm-Dot dvm-mod-limited" />}
    </button>
  );
}
