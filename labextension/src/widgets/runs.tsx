import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { Tracked } from '../api';
import { useServices } from './context';
import { TrackerChip, trackerName } from './tracker';

/** The run of a job in an experiment tracker: where it is, and what is known of it. */
export function TrackedRuns(props: { tracked: Tracked }): JSX.Element {
  const { trans } = useServices();
  const { tracked } = props;
  return (
    <section className="dvm-Runs" aria-label={trackerName(tracked.provider)}>
      <div className="dvm-Runs-header">
        <TrackerChip tracked={tracked} tabbable />
        <code className="dvm-Ellipsis" title={tracked.run_id}>
          {tracked.run_id}
        </code>
        <span className="dvm-Ellipsis dvm-Dim">{explanation(tracked, trans)}</span>
      </div>
    </section>
  );
}

/** What a status means for somebody who looks for the run. */
function explanation({ provider, status }: Tracked, trans: TranslationBundle): string {
  const words: Readonly<Record<string, string>> = {
    expected: trans.__('Nothing has been logged yet'),
    none: trans.__('Nothing was logged'),
    offline: trans.__(
      'Logged on this machine only, since there is no key of %1',
      trackerName(provider)
    )
  };
  return words[status] ?? '';
}
