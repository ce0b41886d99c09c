import { Time } from '@jupyterlab/coreutils';
import { copyIcon, ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import React from 'react';

import type { Job } from '../api';
import { CommandIDs } from '../commands';
import { formatSpan, shortId } from '../format';
import { jobIcon } from '../icons';
import type { JobModel } from '../models/job';
import { isOver } from '../models/jobs';
import { ServicesProvider, useModel, useServices, type Services } from './context';
import { IconButton } from './controls';
import { DatumProgress, datumWords, StateDot, stateName } from './jobstate';
import { LogView } from './log';
import { TrackedRuns } from './runs';
import { Failure, Loading, Stale } from './states';

/** A job in the main area: how it goes, what it reads and writes, its runs and its log. */
export class JobView extends ReactWidget {
  constructor(
    readonly model: JobModel,
    private readonly _services: Services
  ) {
    super();
    const { pipeline, id } = model.key;
    this.addClass('dvm-Document');
    this.addClass('dvm-Job');
    this.title.icon = jobIcon;
    this.title.label = `${pipeline}@${shortId(id)}`;
    this.title.caption = `${pipeline}@${id}`;
  }

  override dispose(): void {
    this.model.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.model.watched = true;
  }

  protected override onAfterHide(message: Message): void {
    this.model.watched = false;
    super.onAfterHide(message);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.model.watched = this.isVisible;
  }

  protected override render(): JSX.Element {
    return (
      <ServicesProvider services={this._services}>
        <JobContent model={this.model} />
      </ServicesProvider>
    );
  }
}

function JobContent(props: { model: JobModel }): JSX.Element {
  const model = useModel(props.model);
  const job = model.job.value;
  if (!job) {
    return model.job.error ? (
      <Failure error={model.job.error} retry={() => void model.refresh()} />
    ) : (
      <Loading />
    );
  }
  return (
    <>
      <Stale error={model.job.error ?? model.log.error} />
      <Header job={job} />
      {job.tracking && <TrackedRuns tracked={job.tracking} />}
      <LogPart model={model} />
    </>
  );
}

function Header(props: { job: Job }): JSX.Element {
  const { execute, trans } = useServices();
  const { job } = props;
  const { pipeline, id } = job;
  const over = isOver(job);
  return (
    <header className="dvm-Document-header">
      <div className="dvm-Document-title">
        <h1 className="dvm-Ellipsis" title={`${pipeline}@${id}`}>
          {pipeline}@<code>{shortId(id)}</code>
        </h1>
        <Actions job={job} />
      </div>
      <p className="dvm-Job-state">
        <StateDot state={job.state} />
        <strong>{stateName(job.state, trans)}</strong>
        {!over && job.datums.total > 0 ? (
          <span className="dvm-Job-progress">
            <DatumProgress job={job} />
          </span>
        ) : (
          <span className="dvm-Dim">{datumWords(job, trans)}</span>
        )}
      </p>
      {job.reason && (
        <p className={job.state === 'success' ? '' : 'dvm-Job-reason'}>{job.reason}</p>
      )}
      <p className="dvm-Document-facts dvm-Dim">
        <Times job={job} />
        {job.executor && <span>{trans.__('executor %1', job.executor)}</span>}
        {job.tier && <span>{trans.__('sandbox %1', job.tier)}</span>}
        <span>{trans.__('spec version %1', job.version)}</span>
        <button
          type="button"
          className="dvm-Link"
          title={trans.__('All jobs of the change that caused this one')}
          onClick={() => execute(CommandIDs.showJobs, { pipeline, id, related: true })}
        >
          {trans.__('jobs of this id')}
        </button>
      </p>
      <Commits job={job} />
    </header>
  );
}

/** What there is to do with the job in its state. */
function Actions(props: { job: Job }): JSX.Element {
  const { versions, execute, trans } = useServices();
  const { job } = props;
  const { pipeline, id, output_commit: output } = job;
  useModel(versions.mounts);
  const mounts = output ? versions.mounts.of(output.repo, output.id) : [];
  const action = (command: string, label: string, more = {}, accept = false) => (
    <button
      type="button"
      className={`jp-Button jp-mod-styled ${accept ? 'jp-mod-accept' : ''}`}
      onClick={() => execute(command, { pipeline, id, ...more })}
    >
      {label}
    </button>
  );
  if (!isOver(job)) {
    return (
      <span className="dvm-Document-buttons">{action(CommandIDs.stopJob, trans.__('Stop'))}</span>
    );
  }
  return (
    <span className="dvm-Document-buttons">
      {job.state !== 'success' &&
        action(CommandIDs.rerunJob, trans.__('Run again what has failed'), {}, true)}
      {job.state === 'success' && mounts.length > 0 && (
        <span className="dvm-Ellipsis dvm-Dim" title={mounts[0].path}>
          {trans.__('mounted as %1', mounts[0].name)}
        </span>
      )}
      {job.state === 'success' &&
        mounts.length === 0 &&
        action(CommandIDs.mountOutput, trans.__('Mount output'), {}, true)}
      {job.state === 'success' && action(CommandIDs.openOutput, trans.__('Open output'))}
    </span>
  );
}

/** When it was made, and how long it took or takes. */
function Times(props: { job: Job }): JSX.Element {
  const { trans } = useServices();
  const { created, started, finished } = props.job;
  const seconds = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 1000;
  return (
    <>
      <time dateTime={created} title={new Date(created).toLocaleString()}>
        {Time.formatHuman(created)}
      </time>
      {started && finished && (
        <span>{trans.__('took %1', formatSpan(seconds(started, finished)))}</span>
      )}
    </>
  );
}

/** The commits that it reads, and the one that it makes. */
function Commits(props: { job: Job }): JSX.Element {
  const { trans } = useServices();
  const { input, output_commit: output, state } = props.job;
  return (
    <p className="dvm-Document-facts dvm-Dim">
      <span>{trans.__('reads')}</span>
      {input.map(({ repo, branch, commit, upstream }) => (
        <span key={`${repo}@${branch}`} className="dvm-Ellipsis">
          {commit ? (
            <CommitLink repo={repo} id={commit} name={`${repo}@${branch}`} />
          ) : upstream ? (
            trans.__('%1, which %2 makes', `${repo}@${branch}`, upstream)
          ) : (
            trans.__('%1, which is empty', `${repo}@${branch}`)
          )}
        </span>
      ))}
      {output && state === 'success' && (
        <>
          <span>{trans.__('has made')}</span>
          <CommitLink repo={output.repo} id={output.id} name={output.repo} />
        </>
      )}
    </p>
  );
}

function CommitLink(props: { repo: string; id: string; name: string }): JSX.Element {
  const { execute } = useServices();
  const { repo, id, name } = props;
  return (
    <button
      type="button"
      className="dvm-Link dvm-Ellipsis"
      title={`${repo}@${id}`}
      onClick={() => execute(CommandIDs.openCommit, { repo, ref: id })}
    >
      {name} · <code>{shortId(id)}</code>
    </button>
  );
}

/** The log, and how it is shown. */
function LogPart(props: { model: JobModel }): JSX.Element {
  const { execute, trans } = useServices();
  const log = useModel(props.model.log);
  return (
    <section className="dvm-LogPart" aria-label={trans.__('Log')}>
      <div className="dvm-LogPart-header">
        <h2>{trans.__('Log')}</h2>
        <label>
          <input
            type="checkbox"
            checked={log.failedOnly}
            onChange={event => {
              log.failedOnly = event.target.checked;
            }}
          />
          {trans.__('Failed only')}
        </label>
        <label title={trans.__('Keep the newest line in view')}>
          <input
            type="checkbox"
            checked={log.following}
            onChange={event => {
              log.following = event.target.checked;
            }}
          />
          {trans.__('Follow')}
        </label>
        <IconButton
          icon={copyIcon}
          label={trans.__('Copy the log')}
          disabled={!log.rows.length}
          onClick={() => execute(CommandIDs.copyText, { text: log.text })}
        />
      </div>
      <LogView model={log} />
    </section>
  );
}
