import { Time } from '@jupyterlab/coreutils';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import type { Commit } from '../api';
import { CommandIDs } from '../commands';
import { breadcrumb, formatSize, shortId } from '../format';
import { commitIcon } from '../icons';
import type { CommitModel } from '../models/files';
import { ServicesProvider, useModel, useServices, type Services } from './context';
import { FileList } from './files';
import { Failure, Loading } from './states';

/** A commit in the main area: what it is, and its files. */
export class CommitView extends ReactWidget {
  constructor(
    readonly model: CommitModel,
    private readonly _services: Services
  ) {
    super();
    this.addClass('dvm-Document');
    this.addClass('dvm-Commit');
    this.title.icon = commitIcon;
    this.title.label = `${model.repo}@${shortId(model.ref)}`;
    this.title.caption = `${model.repo}@${model.ref}`;
  }

  override dispose(): void {
    this.model.dispose();
    super.dispose();
  }

  protected override render(): JSX.Element {
    return (
      <ServicesProvider services={this._services}>
        <CommitContent model={this.model} />
      </ServicesProvider>
    );
  }
}

function CommitContent(props: { model: CommitModel }): JSX.Element {
  const model = useModel(props.model);
  const commit = model.commit.value;
  if (commit) {
    return (
      <>
        <Header commit={commit} />
        <Breadcrumb model={model} />
        <FileList model={model} commit={commit} />
      </>
    );
  }
  return model.commit.error ? (
    <Failure error={model.commit.error} retry={() => void model.refresh()} />
  ) : (
    <Loading />
  );
}

function Header(props: { commit: Commit }): JSX.Element {
  const { execute, trans } = useServices();
  const { commit } = props;
  const { repo, id, parent } = commit;
  const time = commit.finished ?? commit.started;
  return (
    <header className="dvm-Document-header">
      <div className="dvm-Document-title">
        <h1 className="dvm-Ellipsis" title={`${repo}@${id}`}>
          {repo}@<code>{shortId(id)}</code>
        </h1>
        <MountState commit={commit} />
      </div>
      {commit.message && <p className="dvm-Commit-message">{commit.message}</p>}
      <p className="dvm-Document-facts dvm-Dim">
        {commit.author && <span>{commit.author}</span>}
        <time dateTime={time} title={new Date(time).toLocaleString()}>
          {Time.formatHuman(time)}
        </time>
        <span>{trans.__('branch %1', commit.branch)}</span>
        <span>{trans._n('%2 file', '%2 files', commit.files, commit.files.toLocaleString())}</span>
        <span>{formatSize(commit.size)}</span>
        {parent && (
          <span>
            {trans.__('parent')}{' '}
            <button
              type="button"
              className="dvm-Link"
              onClick={() => execute(CommandIDs.openCommit, { repo, ref: parent })}
            >
              <code>{shortId(parent)}</code>
            </button>
          </span>
        )}
      </p>
      {commit.error && (
        <p className="dvm-mod-error" role="alert">
          {commit.error}
        </p>
      )}
    </header>
  );
}

/** Where this commit is mounted, or the button that mounts it. */
function MountState(props: { commit: Commit }): JSX.Element {
  const { versions, execute, trans } = useServices();
  const { repo, id } = props.commit;
  const mounts = useModel(versions.mounts).of(repo, id);
  return (
    <span className="dvm-Document-buttons">
      {mounts.length ? (
        <>
          <span className="dvm-Ellipsis dvm-Dim" title={mounts[0].path}>
            {trans.__('mounted as %1', mounts[0].name)}
          </span>
          <button
            type="button"
            className="jp-Button jp-mod-styled"
            onClick={() => execute(CommandIDs.insertCode, { name: mounts[0].name })}
          >
            {trans.__('Insert code')}
          </button>
        </>
      ) : (
        <button
          type="button"
          className="jp-Button jp-mod-styled jp-mod-accept"
          onClick={() => execute(CommandIDs.mount, { repo, ref: id })}
        >
          {trans.__('Mount')}
        </button>
      )}
      <button
        type="button"
        className="jp-Button jp-mod-styled"
        onClick={() => execute(CommandIDs.copyReference, { repo, ref: id })}
      >
        {trans.__('Copy reference')}
      </button>
    </span>
  );
}

function Breadcrumb(props: { model: CommitModel }): JSX.Element {
  const { trans } = useServices();
  const { model } = props;
  const steps = [{ name: model.repo, path: '/' }, ...breadcrumb(model.path)];
  return (
    <nav className="dvm-Breadcrumb" aria-label={trans.__('Directory')}>
      {steps.map((step, index) => (
        <React.Fragment key={step.path}>
          {index > 0 && <span aria-hidden="true">/</span>}
          {index === steps.length - 1 ? (
            <strong aria-current="page">{step.name}</strong>
          ) : (
            <button type="button" className="dvm-Link" onClick={() => model.open(step.path)}>
              {step.name}
            </button>
          )}
        </React.Fragment>
      ))}
    </nav>
  );
}
