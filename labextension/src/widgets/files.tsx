import {
  codeIcon,
  copyIcon,
  fileIcon,
  folderIcon,
  imageIcon,
  spreadsheetIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import React from 'react';

import type { Commit, FileInfo } from '../api';
import { CommandIDs } from '../commands';
import { baseName, formatSize } from '../format';
import type { CommitModel } from '../models/files';
import { variantFor } from '../snippets';
import { useModel, useServices } from './context';
import { IconButton } from './controls';
import { Rows } from './rows';
import { Failure, Loading, Nothing } from './states';

const ROW_PX = 26;

const keyOf = (file: FileInfo) => file.path;
const height = () => ROW_PX;

/** The entries of one directory of a commit. */
export function FileList(props: { model: CommitModel; commit: Commit }): JSX.Element {
  const { trans } = useServices();
  const { model } = props;
  const files = useModel(model.files);
  const onNearEnd = React.useCallback(() => {
    if (!files.error) {
      void files.loadMore();
    }
  }, [files]);
  if (files.error && !files.items.length) {
    return <Failure error={files.error} retry={() => void files.reload()} />;
  }
  if (!files.ready) {
    return <Loading />;
  }
  if (!files.items.length) {
    return <Nothing text={trans.__('This directory is empty.')} />;
  }
  const count = files.items.length;
  return (
    <>
      <Rows
        key={model.path}
        label={trans.__('Files')}
        rows={files.items}
        keyOf={keyOf}
        height={height}
        partial={files.hasMore}
        title={file => file.path}
        render={(file, active) => <FileItem file={file} commit={props.commit} active={active} />}
        onOpen={file => {
          if (file.type === 'dir') {
            model.open(file.path);
          }
        }}
        onUp={() => model.open(model.path.slice(0, model.path.lastIndexOf('/')) || '/')}
        onNearEnd={onNearEnd}
      />
      <footer className="dvm-Files-footer dvm-Dim" role="status">
        {files.error ? (
          <>
            <span className="dvm-mod-error">{files.error.message}</span>{' '}
            <button type="button" className="dvm-Link" onClick={() => void files.loadMore()}>
              {trans.__('Try again')}
            </button>
          </>
        ) : files.hasMore ? (
          trans.__('%1 entries, more as you scroll', count.toLocaleString())
        ) : (
          trans._n('%2 entry', '%2 entries', count, count.toLocaleString())
        )}
      </footer>
    </>
  );
}

function FileItem(props: { file: FileInfo; commit: Commit; active: boolean }): JSX.Element {
  const { versions, execute, trans } = useServices();
  const { file, commit, active } = props;
  const name = baseName(file.path);
  const mount = versions.mounts.of(commit.repo, commit.id)[0];
  const Icon = iconOf(file);
  return (
    <>
      <Icon.react tag="span" className="dvm-Row-icon" />
      <span className="dvm-Ellipsis dvm-Row-name">{name}</span>
      <span className="dvm-Row-facts dvm-Dim">
        {file.type === 'file' ? formatSize(file.size) : ''}
      </span>
      <span className="dvm-Row-actions">
        {mount && (
          <IconButton
            icon={codeIcon}
            label={trans.__('Insert code that reads %1', name)}
            tabbable={active}
            onClick={() =>
              execute(CommandIDs.insertCode, {
                path: mount.path + file.path,
                variant: file.type === 'dir' ? 'list' : variantFor(name)
              })
            }
          />
        )}
        <IconButton
          icon={copyIcon}
          label={
            mount
              ? trans.__('Copy the path of %1', name)
              : trans.__('Copy the reference of %1', name)
          }
          tabbable={active}
          onClick={() =>
            execute(CommandIDs.copyText, {
              text: mount ? mount.path + file.path : `${commit.repo}@${commit.id}:${file.path}`
            })
          }
        />
      </span>
    </>
  );
}

function iconOf(file: FileInfo): LabIcon {
  if (file.type === 'dir') {
    return folderIcon;
  }
  const variant = variantFor(baseName(file.path));
  return variant === 'image' ? imageIcon : variant === 'table' ? spreadsheetIcon : fileIcon;
}
