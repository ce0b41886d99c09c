import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { Job } from '../api';
import { useServices } from './context';

/** How a state of a job looks: the classes of its dot. */
const LOOKS: Record<Job['state'], string> = {
  created: 'dvm-mod-waiting',
  starting: 'dvm-mod-active',
  running: 'dvm-mod-active',
  finishing: 'dvm-mod-active',
  egressing: 'dvm-mod-active',
  success: 'dvm-mod-ok',
  failure: 'dvm-mod-missing',
  killed: 'dvm-mod-limited',
  unrunnable: 'dvm-mod-missing'
};

/** A state in words. */
export function stateName(state: Job['state'], trans: TranslationBundle): string {
  const names: Record<Job['state'], string> = {
    created: trans.__('waiting'),
    starting: trans.__('starting'),
    running: trans.__('running'),
    finishing: trans.__('finishing'),
    egressing: trans.__('exporting'),
    success: trans.__('success'),
    failure: trans.__('failure'),
    killed: trans.__('killed'),
    unrunnable: trans.__('unrunnable')
  };
  return names[state];
}

/** The state of a job as a dot; the words are beside it or in its title. */
export function StateDot(props: { state: Job['state'] | '' }): JSX.Element {
  const { trans } = useServices();
  const { state } = props;
  return state ? (
    <span className={`dvm-Dot ${LOOKS[state]}`} title={stateName(state, trans)} />
  ) : (
    <span className="dvm-Dot dvm-mod-waiting" title={trans.__('no job yet')} />
  );
}

/** How far the datums of a job are: done of all, with those that have failed in their own colour. */
export function DatumProgress(props: { job: Job }): JSX.Element {
  const { trans } = useServices();
  const { datums } = props.job;
  const done = datums.success + datums.skipped + datums.failed + datums.recovered;
  const words = trans.__('%1/%2', done.toLocaleString(), datums.total.toLocaleString());
  return (
    <>
      <span
        className="dvm-DatumProgress"
        role="progressbar"
        aria-label={trans.__('Datums of %1', props.job.pipeline)}
        aria-valuemin={0}
        aria-valuemax={datums.total}
        aria-valuenow={done}
        title={datumWords(props.job, trans)}
      >
        <span className="dvm-mod-ok" style={{ flexGrow: datums.success + datums.skipped }} />
        <span className="dvm-mod-limited" style={{ flexGrow: datums.recovered }} />
        <span className="dvm-mod-missing" style={{ flexGrow: datums.failed }} />
        <span style={{ flexGrow: datums.total - done }} />
      </span>
      <span>{words}</span>
    </>
  );
}

/** How many datums are in which state, in words; only their number where all were processed. */
export function datumWords({ datums }: Job, trans: TranslationBundle): string {
  const plain = datums.success === datums.total;
  const parts = [
    [plain ? 0 : datums.success, trans.__('%1 processed', datums.success.toLocaleString())],
    [datums.skipped, trans.__('%1 skipped', datums.skipped.toLocaleString())],
    [datums.recovered, trans.__('%1 recovered', datums.recovered.toLocaleString())],
    [datums.failed, trans.__('%1 failed', datums.failed.toLocaleString())]
  ] as const;
  const total = trans._n('%2 datum', '%2 datums', datums.total, datums.total.toLocaleString());
  return [total, ...parts.flatMap(([number, words]) => (number ? [words] : []))].join(', ');
}
