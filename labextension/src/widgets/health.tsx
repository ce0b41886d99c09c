import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import type { Check, Health } from '../api';
import { useModel, useServices } from './context';
import { CopyBlock } from './controls';

/** One line that says how well things work here; on click, each check with what mends it. */
export function HealthStrip(): JSX.Element | null {
  const { versions, trans } = useServices();
  const health = useModel(versions.health);
  const [open, setOpen] = useState(false);
  if (!health.value) {
    return null;
  }
  const worst = worstOf(health.value.checks, health.error !== null);
  const Caret = open ? caretDownIcon : caretRightIcon;
  return (
    <div className="dvm-Health">
      <button
        type="button"
        className="dvm-Health-summary"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <span className={`dvm-Dot dvm-mod-${worst}`} />
        <span className="dvm-Ellipsis">{summary(health.value, health.error !== null, trans)}</span>
        <Caret.react tag="span" className="dvm-IconButton-icon" />
      </button>
      {open && <HealthDetails health={health.value} />}
    </div>
  );
}

function HealthDetails(props: { health: Health }): JSX.Element {
  const { trans } = useServices();
  const { health } = props;
  const statuses = {
    ok: trans.__('ok'),
    limited: trans.__('limited'),
    missing: trans.__('missing')
  };
  return (
    <ul className="dvm-Health-details">
      {health.checks.map(check => (
        <li key={check.id}>
          <div className="dvm-Health-check">
            <span className={`dvm-Dot dvm-mod-${check.status}`} />
            <strong>{check.label}</strong>
            <span className="dvm-Dim">{statuses[check.status]}</span>
          </div>
          <div className="dvm-Health-detail">{check.detail}</div>
          {check.fix && <CopyBlock text={check.fix} />}
        </li>
      ))}
      <li className="dvm-Dim dvm-Health-detail">
        {trans.__('Mounts appear in %1', health.mount_root)}
        <br />
        {trans.__('Version %1', health.version)}
      </li>
    </ul>
  );
}

function worstOf(checks: readonly Check[], stale: boolean): Check['status'] {
  if (stale || checks.some(check => check.status === 'missing')) {
    return 'missing';
  }
  return checks.some(check => check.status === 'limited') ? 'limited' : 'ok';
}

/** The first check that is not right, by its own words. */
function summary(health: Health, stale: boolean, trans: TranslationBundle): string {
  if (stale) {
    return trans.__('No connection');
  }
  const wrong =
    health.checks.find(check => check.status === 'missing') ??
    health.checks.find(check => check.status === 'limited');
  return wrong ? `${wrong.label}: ${wrong.detail}` : trans.__('Ready');
}
