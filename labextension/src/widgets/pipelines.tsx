import { ellipsesIcon, runIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { Pipeline } from '../api';
import { CommandIDs } from '../commands';
import { pauseIcon, resumeIcon } from '../icons';
import { useModel, useServices } from './context';
import { IconButton, openRowMenu } from './controls';
import { StateDot, stateName } from './jobstate';
import { ITEM_PX, Rows } from './rows';
import { Failure, Loading, Stale } from './states';

const keyOf = (pipeline: Pipeline) => pipeline.name;
const height = () => ITEM_PX;

/** The pipelines and how they are. */
export function PipelineList(): JSX.Element {
  const { versions, execute, trans } = useServices();
  const model = useModel(versions.pipelines);
  if (!model.pipelines.length) {
    if (model.error) {
      return <Failure error={model.error} retry={() => void model.refresh()} />;
    }
    return model.value ? <NoPipelines /> : <Loading />;
  }
  return (
    <>
      <Stale error={model.error} />
      <Rows
        label={trans.__('Pipelines')}
        rows={model.pipelines}
        keyOf={keyOf}
        height={height}
        className={() => 'dvm-PipelineItem'}
        opensOnClick={() => false}
        onOpen={({ name }) => execute(CommandIDs.editPipeline, { pipeline: name })}
        onSelect={({ name }) => versions.selection.select({ kind: 'pipeline', pipeline: name })}
        render={(pipeline, active) => <PipelineItem pipeline={pipeline} active={active} />}
      />
    </>
  );
}

function PipelineItem(props: { pipeline: Pipeline; active: boolean }): JSX.Element {
  const { execute, trans } = useServices();
  const { pipeline, active } = props;
  const { name, input, output } = pipeline;
  const last = pipeline.last_job_state;
  const paused = pipeline.state === 'paused';
  return (
    <div className="dvm-Item">
      <div className="dvm-Item-line">
        <StateDot state={last} />
        <strong
          className="dvm-Ellipsis"
          title={[name, pipeline.description].filter(Boolean).join('\n')}
        >
          {name}
        </strong>
        <span className="dvm-Item-actions">
          <IconButton
            icon={runIcon}
            label={trans.__('Run %1', name)}
            tabbable={active}
            onClick={() => execute(CommandIDs.runPipeline, { pipeline: name })}
          />
          <IconButton
            icon={paused ? resumeIcon : pauseIcon}
            label={paused ? trans.__('Resume %1', name) : trans.__('Pause %1', name)}
            tabbable={active}
            onClick={() => execute(CommandIDs.pausePipeline, { pipeline: name })}
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
        <span className="dvm-Ellipsis" title={`${input.join(', ')} → ${output}`}>
          {input.map(short).join(', ')} → {short(output)}
        </span>
        {paused && (
          <span className="dvm-Pill" title={trans.__('It begins nothing new until it is resumed')}>
            {trans.__('paused')}
          </span>
        )}
        {last && (
          <button
            type="button"
            className={`dvm-Pill ${last === 'failure' || last === 'unrunnable' ? 'dvm-mod-error' : ''}`}
            title={trans.__('Show the newest job of %1', name)}
            tabIndex={active ? 0 : -1}
            onClick={event => {
              event.stopPropagation();
              execute(CommandIDs.openJob, { pipeline: name, id: pipeline.last_job });
            }}
          >
            {stateName(last, trans)}
          </button>
        )}
      </div>
    </div>
  );
}

/** A branch without what goes without saying. */
function short(branch: string): string {
  return branch.replace(/@master$/, '');
}

/** How a store without pipelines gets its first one. */
function NoPipelines(): JSX.Element {
  const { execute, trans } = useServices();
  return (
    <div className="dvm-State">
      <p>
        {trans.__(
          'No pipelines yet. A pipeline runs code whenever its data changes: publish a cell of a notebook, or'
        )}{' '}
        <button type="button" className="dvm-Link" onClick={() => execute(CommandIDs.newPipeline)}>
          {trans.__('write a spec')}
        </button>
        .
      </p>
    </div>
  );
}
