import type { TranslationBundle } from '@jupyterlab/translation';
import { launchIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { Tracked } from '../api';
import { webAddress } from '../links';
import { useServices } from './context';

/** What trackers are called by people. */
const NAMES: Readonly<Record<string, string>> = { wandb: 'W&B' };

export function trackerName(provider: string): string {
  return NAMES[provider] ?? provider;
}

/** What is known of a run, in words. */
export function runStatus(status: string, trans: TranslationBundle): string {
  const words: Readonly<Record<string, string>> = {
    expected: trans.__('expected'),
    confirmed: trans.__('confirmed'),
    offline: trans.__('offline'),
    none: trans.__('no run')
  };
  return words[status] ?? status;
}

type ChipProps = {
  tracked: Tracked;
  /** Whether the tab key stops here. */
  tabbable: boolean;
  /** What a click does where the run has no page; without it nothing. */
  onShow?: () => void;
};

/** The run of a job in an experiment tracker: a link where it has a page, else to what is known here. */
export function TrackerChip(props: ChipProps): JSX.Element {
  const { trans } = useServices();
  const { tracked } = props;
  const name = trackerName(tracked.provider);
  const status = runStatus(tracked.status, trans);
  const href = webAddress(tracked.url);
  const className = `dvm-Pill dvm-Chip dvm-mod-${tracked.status}`;
  const content = (
    <>
      {name}
      <span className="dvm-Chip-status">{status}</span>
    </>
  );
  const tabIndex = props.tabbable ? 0 : -1;
  const { onShow } = props;
  if (!href && !onShow) {
    return (
      <span
        className={className}
        title={trans.__('Run %1 in %2: %3', tracked.run_id, name, status)}
      >
        {content}
      </span>
    );
  }
  return href ? (
    <a
      className={className}
      href={href}
      target="_blank"
      rel="noopener noreferrer"
      tabIndex={tabIndex}
      title={trans.__('Run %1 in %2: %3. Opens in a new tab.', tracked.run_id, name, status)}
      onClick={event => event.stopPropagation()}
      onDoubleClick={event => event.stopPropagation()}
    >
      {content}
      <launchIcon.react tag="span" className="dvm-Chip-icon" />
    </a>
  ) : (
    <button
      type="button"
      className={className}
      tabIndex={tabIndex}
      title={trans.__('Run %1 in %2: %3. Show what is known here.', tracked.run_id, name, status)}
      onClick={event => {
        event.stopPropagation();
        onShow?.();
      }}
    >
      {content}
    </button>
  );
}
