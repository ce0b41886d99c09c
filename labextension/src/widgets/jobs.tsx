import { closeIcon, ellipsesIcon, redoIcon, stopIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { Job } from '../api';
import { CommandIDs } from '../commands';
import { shortId } from '../format';
import { mountIcon } from '../icons';
import { isOver } from '../models/jobs';
import { useModel, useServices } from './context';
import { Age, IconButton, openRowMenu } from './controls';
import { DatumProgress, datumWords, StateDot, stateName } from './jobstate';
import { ITEM_ERROR_PX, ITEM_PX, Rows } from './rows';
import { Failure, Loading, Nothing, Stale } from './states';
import { TrackerChip } from './tracker';

const keyOf = (job: Job) => `${job.pipeline}@${job.id}`;
const height = (job: Job) => ITEM_PX + (troubleOf(job) ? ITEM_ERROR_PX : 0);

/** The jobs that the filter lets through, newest first. */
export function JobList(): JSX.Element {
  const { versions, execute, trans } = useServices();
  const model = useModel(versions.jobs);
  const { list } = model;
  const onNearEnd = React.useCallback(() => {
    if (!list.error) {
      void list.loadMore();
    }
  }, [list]);
  if (!list.items.length) {
    if (list.error) {
      return <Failure error={list.error} retry={() => void model.refresh()} />;
    }
    if (!list.ready) {
      return <Loading />;
    }
    return (
      <Nothing
        text={
          model.isEmpty
            ? trans.__('No jobs yet. A pipeline has one for each commit of its input.')
            : trans.__('No job fits the filter.')
        }
      />
    );
  }
  return (
    <>
      <Stale error={list.error} />
      <Rows
        label={trans.__('Jobs')}
        rows={list.items}
        keyOf={keyOf}
        height={height}
        partial={list.hasMore}
        className={() => 'dvm-JobItem'}
        opensOnClick={() => false}
        onOpen={({ pipeline, id }) => execute(CommandIDs.openJob, { pipeline, id })}
        onSelect={({ pipeline, id }) => versions.selection.select({ kind: 'job', pipeline, id })}
        onNearEnd={onNearEnd}
        render={(job, active) => <JobItem job={job} active={active} />}
      />
    </>
  );
}

function JobItem(props: { job: Job; active: boolean }): JSX.Element {
  const { execute, trans } = useServices();
  const { job, active } = props;
  const { pipeline, id, tracking } = job;
  const trouble = troubleOf(job);
  return (
    <div className="dvm-Item">
      <div className="dvm-Item-line">
        <StateDot state={job.state} />
        <strong className="dvm-JobItem-name dvm-Ellipsis" title={`${pipeline}@${id}`}>
          {pipeline}
        </strong>
        <code className="dvm-JobItem-id dvm-Dim">{shortId(id)}</code>
        <span className="dvm-Item-actions">
          <JobActions job={job} active={active} />
          <IconButton
            icon={ellipsesIcon}
            label={trans.__('More for job %1 of %2', shortId(id), pipeline)}
            tabbable={active}
            popup="menu"
            onClick={openRowMenu}
          />
        </span>
      </div>
      <div className="dvm-Item-line dvm-Dim">
        <JobFacts job={job} />
        {tracking && tracking.status !== 'none' && (
          <TrackerChip
            tracked={tracking}
            tabbable={active}
            onShow={() => execute(CommandIDs.openJob, { pipeline, id })}
          />
        )}
        <Age time={job.finished ?? job.started ?? job.created} />
      </div>
      {trouble && (
        <div className="dvm-Item-error" title={trouble}>
          {trouble}
        </div>
      )}
    </div>
  );
}

/** What there is to do with a job in its state. */
function JobActions(props: { job: Job; active: boolean }): JSX.Element {
  const { execute, trans } = useServices();
  const { job, active } = props;
  const { pipeline, id } = job;
  const name = `${pipeline}@${shortId(id)}`;
  if (!isOver(job)) {
    return (
      <IconButton
        icon={stopIcon}
        label={trans.__('Stop job %1', name)}
        tabbable={active}
        onClick={() => execute(CommandIDs.stopJob, { pipeline, id })}
      />
    );
  }
  return job.state === 'success' ? (
    <IconButton
      icon={mountIcon}
      label={trans.__('Mount the output of %1', name)}
      tabbable={active}
      onClick={() => execute(CommandIDs.mountOutput, { pipeline, id })}
    />
  ) : (
    <IconButton
      icon={redoIcon}
      label={trans.__('Run again what has failed in %1', name)}
      tabbable={active}
      onClick={() => execute(CommandIDs.rerunJob, { pipeline, id })}
    />
  );
}

/** How it goes or went, in a few words. */
function JobFacts(props: { job: Job }): JSX.Element {
  const { trans } = useServices();
  const { job } = props;
  const { datums, reason, state } = job;
  if (!isOver(job) && datums.total > 0) {
    return <DatumProgress job={job} />;
  }
  const counts = datums.total > 0 || state === 'success' ? datumWords(job, trans) : '';
  const detail = reason && !troubleOf(job) ? reason : counts;
  const parts = state === 'success' ? [detail] : [stateName(state, trans), detail];
  const words = parts.filter(Boolean).join(': ');
  return (
    <span className="dvm-Ellipsis" title={words}>
      {words}
    </span>
  );
}

/** Why a job is in a state that nobody wanted; empty for all others. */
function troubleOf({ state, reason }: Job): string {
  return state === 'failure' || state === 'unrunnable' ? reason : '';
}

/** Which jobs are listed. */
export function JobFilters(): JSX.Element | null {
  const { versions, trans } = useServices();
  const model = useModel(versions.jobs);
  const { pipelines } = useModel(versions.pipelines);
  if (model.isEmpty) {
    return null;
  }
  const { pipeline, id } = model.filter;
  const names = pipelines.map(each => each.name);
  // The filter may name a pipeline that has been deleted meanwhile.
  const options = !pipeline || names.includes(pipeline) ? names : [...names, pipeline];
  return (
    <div className="dvm-Filter dvm-JobFilters">
      <select
        className="jp-mod-styled"
        value={pipeline}
        title={pipeline}
        aria-label={trans.__('Only jobs of one pipeline')}
        onChange={event => model.show({ pipeline: event.target.value })}
      >
        <option value="">{trans.__('All pipelines')}</option>
        {options.map(name => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <input
        type="search"
        className="jp-mod-styled"
        spellCheck={false}
        value={id}
        placeholder={trans.__('Global id')}
        aria-label={trans.__('Only jobs with this global id, or the beginning of one')}
        onChange={event => model.show({ id: event.target.value })}
      />
      {(pipeline || id) && (
        <IconButton
          icon={closeIcon}
          label={trans.__('Show all jobs')}
          onClick={() => model.show({ pipeline: '', id: '' })}
        />
      )}
    </div>
  );
}
