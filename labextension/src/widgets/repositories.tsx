import {
  caretDownIcon,
  caretRightIcon,
  ellipsesIcon,
  folderIcon,
  linkIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import React from 'react';

import type { Branch, Commit, Repo } from '../api';
import { CommandIDs, type Execute } from '../commands';
import { formatSize, shortId } from '../format';
import { branchIcon, commitIcon, mountIcon } from '../icons';
import type { RepositoriesModel } from '../models/repositories';
import type { Selected } from '../models/selection';
import { useModel, useServices } from './context';
import { Age, IconButton, openRowMenu } from './controls';
import { Rows } from './rows';
import { Failure, Loading, NoRepositories, Nothing } from './states';

type TreeRow =
  | { readonly kind: 'repo'; readonly repo: Repo; readonly expanded: boolean }
  | { readonly kind: 'branch'; readonly branch: Branch }
  | { readonly kind: 'commit'; readonly commit: Commit }
  | { readonly kind: 'more' | 'loading' | 'empty'; readonly repo: string }
  | { readonly kind: 'error'; readonly repo: string; readonly message: string };

const ROW_PX = 26;

/** The repositories with, where expanded, their branches and newest commits. */
export function RepositoryTree(): JSX.Element {
  const { versions, execute, trans } = useServices();
  const model = useModel(versions.repositories);
  const rows = React.useMemo(
    () => flatten(model),
    // The lists change in place; the revision tells.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [model, model.revision]
  );
  const { list } = model;
  const onNearEnd = React.useCallback(() => void list.loadMore(), [list]);
  if (!list.items.length) {
    if (list.error) {
      return <Failure error={list.error} retry={() => void model.refresh()} />;
    }
    if (!list.ready) {
      return <Loading />;
    }
    return model.isEmpty ? (
      <NoRepositories />
    ) : (
      <Nothing text={trans.__('No repository has “%1” in its name.', model.filter)} />
    );
  }
  return (
    <Rows
      label={trans.__('Repositories')}
      rows={rows}
      keyOf={keyOf}
      height={rowHeight}
      level={level}
      expanded={row => (row.kind === 'repo' ? row.expanded : undefined)}
      partial={list.hasMore}
      className={className}
      title={hover}
      render={(row, active) => <TreeRowContent row={row} active={active} />}
      opensOnClick={row => row.kind !== 'branch' && row.kind !== 'commit'}
      onOpen={row => open(model, row, execute)}
      onExpand={(row, expand) => {
        if (row.kind === 'repo') {
          toggle(model, row.repo.name, expand);
        }
      }}
      onSelect={row => versions.selection.select(selected(row))}
      onNearEnd={onNearEnd}
    />
  );
}

/** Selectors of the context menus in the settings' schema. */
function className(row: TreeRow): string {
  switch (row.kind) {
    case 'repo':
      return 'dvm-RepoItem';
    case 'branch':
      return row.branch.head ? 'dvm-RefItem' : '';
    case 'commit':
      return row.commit.state === 'finished' ? 'dvm-RefItem' : '';
    default:
      return 'dvm-NoteItem';
  }
}

const rowHeight = () => ROW_PX;
const level = (row: TreeRow) => (row.kind === 'repo' ? 1 : 2);

function keyOf(row: TreeRow): string {
  switch (row.kind) {
    case 'repo':
      return `repo ${row.repo.name}`;
    case 'branch':
      return `branch ${row.branch.repo} ${row.branch.name}`;
    case 'commit':
      return `commit ${row.commit.repo} ${row.commit.id}`;
    default:
      return `${row.kind} ${row.repo}`;
  }
}

function flatten(model: RepositoriesModel): TreeRow[] {
  return model.list.items.flatMap((repo): TreeRow[] => {
    const detail = model.expanded(repo.name);
    const head: TreeRow = { kind: 'repo', repo, expanded: detail !== undefined };
    if (!detail) {
      return [head];
    }
    const branches = detail.branches.value ?? [];
    const { commits } = detail;
    const rows: TreeRow[] = [
      head,
      ...branches.map(branch => ({ kind: 'branch', branch }) as const),
      ...commits.items.map(commit => ({ kind: 'commit', commit }) as const)
    ];
    const error = detail.branches.error ?? commits.error;
    if (error) {
      rows.push({
        kind: 'error',
        repo: repo.name,
        message: `${error.message} ${error.fix}`.trim()
      });
    } else if (!commits.ready) {
      rows.push({ kind: 'loading', repo: repo.name });
    } else if (commits.hasMore) {
      rows.push({ kind: 'more', repo: repo.name });
    } else if (!commits.items.length) {
      rows.push({ kind: 'empty', repo: repo.name });
    }
    return rows;
  });
}

function selected(row: TreeRow): Selected | null {
  switch (row.kind) {
    case 'repo':
      return { kind: 'repo', repo: row.repo.name };
    case 'branch':
      return { kind: 'branch', repo: row.branch.repo, branch: row.branch.name };
    case 'commit':
      return { kind: 'commit', repo: row.commit.repo, commit: row.commit.id };
    default:
      return null;
  }
}

function toggle(model: RepositoriesModel, repo: string, expand: boolean): void {
  if (expand) {
    model.expand(repo);
  } else {
    model.collapse(repo);
  }
}

function open(model: RepositoriesModel, row: TreeRow, execute: Execute): void {
  if (row.kind === 'repo') {
    toggle(model, row.repo.name, !row.expanded);
  } else if (row.kind === 'more') {
    void model.expanded(row.repo)?.commits.loadMore();
  } else if (row.kind === 'error') {
    void model.expanded(row.repo)?.refresh();
  } else if (row.kind === 'branch' && row.branch.head) {
    execute(CommandIDs.openCommit, { repo: row.branch.repo, ref: row.branch.head });
  } else if (row.kind === 'commit' && row.commit.state === 'finished') {
    execute(CommandIDs.openCommit, { repo: row.commit.repo, ref: row.commit.id });
  }
}

function hover(row: TreeRow): string | undefined {
  switch (row.kind) {
    case 'repo':
      return [row.repo.name, row.repo.description].filter(Boolean).join('\n');
    case 'branch':
      return `${row.branch.name}\n${row.branch.head ?? ''}`.trim();
    case 'commit':
      return [row.commit.message, row.commit.author, row.commit.id].filter(Boolean).join('\n');
    case 'error':
      return row.message;
    default:
      return undefined;
  }
}

function TreeRowContent(props: { row: TreeRow; active: boolean }): JSX.Element {
  const { trans } = useServices();
  const { row, active } = props;
  switch (row.kind) {
    case 'repo':
      return <RepoItem repo={row.repo} expanded={row.expanded} active={active} />;
    case 'branch':
      return <BranchItem branch={row.branch} active={active} />;
    case 'commit':
      return <CommitItem commit={row.commit} active={active} />;
    case 'more':
      return <span className="dvm-Link">{trans.__('Load more commits')}</span>;
    case 'loading':
      return <span className="dvm-Dim">{trans.__('Loading…')}</span>;
    case 'empty':
      return <span className="dvm-Dim">{trans.__('No commits yet')}</span>;
    case 'error':
      return <span className="dvm-Ellipsis dvm-mod-error">{row.message}</span>;
  }
}

function RepoItem(props: { repo: Repo; expanded: boolean; active: boolean }): JSX.Element {
  const { trans } = useServices();
  const { repo, active } = props;
  const Caret = props.expanded ? caretDownIcon : caretRightIcon;
  return (
    <>
      <Caret.react tag="span" className="dvm-Row-icon" />
      <span className="dvm-Ellipsis dvm-Row-name">{repo.name}</span>
      <span className="dvm-Row-facts dvm-Dim">
        {formatSize(repo.size)}
        <Age time={repo.created} />
      </span>
      <span className="dvm-Row-actions">
        <IconButton
          icon={ellipsesIcon}
          label={trans.__('More for %1', repo.name)}
          tabbable={active}
          popup="menu"
          onClick={openRowMenu}
        />
      </span>
    </>
  );
}

function BranchItem(props: { branch: Branch; active: boolean }): JSX.Element {
  const { trans } = useServices();
  const { branch, active } = props;
  return (
    <>
      <branchIcon.react tag="span" className="dvm-Row-icon" />
      <span className="dvm-Ellipsis dvm-Row-name">{branch.name}</span>
      <span className="dvm-Row-facts dvm-Dim">
        {branch.head ? (
          <code className="dvm-Row-id">{shortId(branch.head)}</code>
        ) : (
          <em>{trans.__('empty')}</em>
        )}
        <Age time={branch.moved} />
      </span>
      {branch.head && (
        <RefActions
          repo={branch.repo}
          refName={branch.name}
          commit={branch.head}
          label={`${branch.repo}@${branch.name}`}
          active={active}
        />
      )}
    </>
  );
}

function CommitItem(props: { commit: Commit; active: boolean }): JSX.Element {
  const { trans, versions } = useServices();
  const { commit, active } = props;
  const finished = commit.state === 'finished';
  const mounted = useModel(versions.mounts).of(commit.repo, commit.id).length > 0;
  const Icon: LabIcon = mounted ? linkIcon : commitIcon;
  return (
    <>
      <Icon.react
        tag="span"
        className="dvm-Row-icon"
        {...(mounted ? { title: trans.__('mounted') } : {})}
      />
      <span className="dvm-Ellipsis dvm-Row-name">
        {finished ? (
          commit.message || <code>{shortId(commit.id)}</code>
        ) : (
          <em className="dvm-Dim">{trans.__('being written')}</em>
        )}
      </span>
      <span className="dvm-Row-facts dvm-Dim">
        <span className="dvm-Row-size">{formatSize(commit.size)}</span>
        {commit.message && <code className="dvm-Row-id">{shortId(commit.id)}</code>}
        <Age time={commit.finished ?? commit.started} />
      </span>
      {finished && (
        <RefActions
          repo={commit.repo}
          refName={commit.id}
          commit={commit.id}
          label={`${commit.repo}@${shortId(commit.id)}`}
          active={active}
        />
      )}
    </>
  );
}

type RefActionsProps = {
  repo: string;
  refName: string;
  commit: string;
  label: string;
  active: boolean;
};

function RefActions(props: RefActionsProps): JSX.Element {
  const { execute, trans } = useServices();
  const { repo, commit, label, active } = props;
  return (
    <span className="dvm-Row-actions">
      <IconButton
        icon={mountIcon}
        label={trans.__('Mount %1', label)}
        tabbable={active}
        onClick={() => execute(CommandIDs.mount, { repo, ref: props.refName })}
      />
      <IconButton
        icon={folderIcon}
        label={trans.__('Files of %1', label)}
        tabbable={active}
        onClick={() => execute(CommandIDs.openCommit, { repo, ref: commit })}
      />
      <IconButton
        icon={ellipsesIcon}
        label={trans.__('More for %1', label)}
        tabbable={active}
        popup="menu"
        onClick={openRowMenu}
      />
    </span>
  );
}
