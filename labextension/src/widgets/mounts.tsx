import { closeIcon, codeIcon, ellipsesIcon, linkIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { Mount } from '../api';
import { CommandIDs } from '../commands';
import { formatSize, shortId } from '../format';
import { unmountIcon } from '../icons';
import type { MountsModel, Pending } from '../models/mounts';
import { useModel, useServices } from './context';
import { IconButton, openRowMenu } from './controls';
import { ITEM_ERROR_PX, ITEM_PX, Rows } from './rows';
import { Failure, Loading, Nothing } from './states';

/** A name with what is mounted there, or what is being mounted there, or, in an update, both. */
type MountRow = {
  readonly name: string;
  readonly mount?: Mount;
  readonly pending?: Pending;
};

const keyOf = (row: MountRow) => row.name;
const height = (row: MountRow) => ITEM_PX + (row.mount?.error ? ITEM_ERROR_PX : 0);

function rowsOf(model: MountsModel): MountRow[] {
  const rows = new Map<string, MountRow>(
    model.mounts.map(mount => [mount.name, { name: mount.name, mount }])
  );
  for (const pending of model.pending) {
    rows.set(pending.name, { ...rows.get(pending.name), name: pending.name, pending });
  }
  return [...rows.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** What is mounted now, and what is being mounted. */
export function MountList(): JSX.Element {
  const { versions, execute, trans } = useServices();
  const model = useModel(versions.mounts);
  const rows = React.useMemo(
    () => rowsOf(model),
    // The lists change in place; the revision tells.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [model, model.revision]
  );
  if (!rows.length) {
    if (model.error) {
      return <Failure error={model.error} retry={() => void model.refresh()} />;
    }
    return model.value ? (
      <Nothing text={trans.__('Nothing is mounted. Choose a branch or a commit below.')} />
    ) : (
      <Loading />
    );
  }
  return (
    <Rows
      label={trans.__('Mounted')}
      rows={rows}
      keyOf={keyOf}
      height={height}
      opensOnClick={() => false}
      onOpen={row => {
        if (row.mount) {
          execute(CommandIDs.openCommit, { repo: row.mount.repo, ref: row.mount.commit });
        }
      }}
      className={row => (row.pending ? 'dvm-PendingItem' : 'dvm-MountItem')}
      onSelect={row =>
        versions.selection.select(row.mount ? { kind: 'mount', name: row.name } : null)
      }
      render={(row, active) =>
        row.pending ? (
          <PendingItem pending={row.pending} update={row.mount !== undefined} active={active} />
        ) : (
          row.mount && <MountItem mount={row.mount} active={active} />
        )
      }
    />
  );
}

function MountItem(props: { mount: Mount; active: boolean }): JSX.Element {
  const { execute, trans } = useServices();
  const { mount, active } = props;
  const { name } = mount;
  return (
    <div className="dvm-Item">
      <div className="dvm-Item-line">
        <linkIcon.react tag="span" className="dvm-Row-icon" />
        <strong className="dvm-Ellipsis" title={mount.path}>
          {name}
        </strong>
        <span className="dvm-Item-actions">
          <IconButton
            icon={codeIcon}
            label={trans.__('Insert code that reads %1', name)}
            tabbable={active}
            onClick={() => execute(CommandIDs.insertCode, { name })}
          />
          <IconButton
            icon={unmountIcon}
            label={trans.__('Unmount %1', name)}
            tabbable={active}
            onClick={() => execute(CommandIDs.unmount, { name })}
          />
          <IconButton
            icon={ellipsesIcon}
            label={trans.__('More for %1', name)}
            tabbable={active}
            popup="menu"
            onClick={openRowMenu}
          />
        </span>
      </div>
      <div className="dvm-Item-line dvm-Dim">
        <span className="dvm-Ellipsis" title={`${mount.repo}@${mount.commit}`}>
          {mount.branch ? `${mount.repo}@${mount.branch}` : mount.repo}
          {' · '}
          <code>{shortId(mount.commit)}</code>
        </span>
        <Badges mount={mount} />
        {mount.moved && !mount.follow && (
          <button
            type="button"
            className="dvm-Pill dvm-mod-action"
            title={trans.__('The branch %1 has moved. Show its newest commit.', mount.branch)}
            tabIndex={active ? 0 : -1}
            onClick={() => execute(CommandIDs.update, { name })}
          >
            {trans.__('Update')}
          </button>
        )}
      </div>
      {mount.error && (
        <div className="dvm-Item-error" role="alert" title={mount.error}>
          {mount.error}
        </div>
      )}
    </div>
  );
}

function Badges(props: { mount: Mount }): JSX.Element {
  const { trans } = useServices();
  const { mount } = props;
  return (
    <>
      {mount.follow && (
        <span className="dvm-Pill" title={trans.__('Moves by itself when %1 does', mount.branch)}>
          {trans.__('follows')}
        </span>
      )}
      {mount.mode === 'checkout' && (
        <span
          className="dvm-Pill"
          title={trans.__('The files were copied out, because FUSE cannot be used here')}
        >
          {trans.__('checkout')}
        </span>
      )}
      {mount.error && <span className="dvm-Pill dvm-mod-error">{trans.__('error')}</span>}
    </>
  );
}

function PendingItem(props: {
  pending: Pending;
  /** Whether something is mounted there already, which the server unmounts with a cancel. */
  update: boolean;
  active: boolean;
}): JSX.Element {
  const { execute, trans } = useServices();
  const { pending, active } = props;
  const { bytesDone, bytesTotal, filesDone } = pending;
  const known = bytesTotal > 0;
  return (
    <div className="dvm-Item">
      <div className="dvm-Item-line">
        <strong className="dvm-Ellipsis">{pending.name}</strong>
        <span className="dvm-Dim">
          {known
            ? trans.__('%1 of %2', formatSize(bytesDone), formatSize(bytesTotal))
            : filesDone
              ? trans._n('%1 file', '%1 files', filesDone)
              : trans.__('mounting…')}
        </span>
        <IconButton
          icon={props.update ? unmountIcon : closeIcon}
          label={
            props.update
              ? trans.__('Unmount %1', pending.name)
              : trans.__('Cancel mounting %1', pending.name)
          }
          tabbable={active}
          onClick={() => execute(CommandIDs.cancelMount, { name: pending.name })}
        />
      </div>
      <progress
        className="dvm-Progress"
        aria-label={trans.__('Mounting %1', pending.name)}
        {...(known ? { value: bytesDone, max: bytesTotal } : {})}
      />
    </div>
  );
}
