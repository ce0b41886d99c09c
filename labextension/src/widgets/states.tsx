import { Button, refreshIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { ApiError } from '../api';
import { useServices } from './context';
import { CopyBlock } from './controls';

const INSTALL = 'pip install jupyter-dvmount';
const FIRST_REPO = [
  'dvmount create repo images',
  'dvmount put file images@master:/ -r -f ./photos -m "first photos"'
].join('\n');

/** What failed, why, and what to do; with a way to try again. */
export function Failure(props: { error: ApiError; retry: () => void }): JSX.Element {
  const { trans } = useServices();
  const { error } = props;
  return (
    <div className="dvm-State dvm-mod-error" role="alert">
      <p className="dvm-State-title">{error.message}</p>
      {error.fix && <p>{error.fix}</p>}
      {error.code === 'server_missing' && <CopyBlock text={INSTALL} />}
      <Button className="jp-mod-styled dvm-State-button" onClick={props.retry}>
        <refreshIcon.react tag="span" className="dvm-IconButton-icon" />
        {trans.__('Try again')}
      </Button>
    </div>
  );
}

/** Said above what was known before a request has failed. */
export function Stale(props: { error: ApiError | null }): JSX.Element | null {
  const { error } = props;
  return (
    error && (
      <p className="dvm-Stale dvm-mod-error" role="alert" title={error.fix}>
        {error.message}
      </p>
    )
  );
}

/** Shown until the first answer. */
export function Loading(): JSX.Element {
  const { trans } = useServices();
  return (
    <div className="dvm-State" role="status">
      {trans.__('Loading…')}
    </div>
  );
}

/** How a store without repositories gets its first one. */
export function NoRepositories(): JSX.Element {
  const { trans } = useServices();
  return (
    <div className="dvm-State">
      <p className="dvm-State-title">{trans.__('No repositories yet')}</p>
      <p>{trans.__('Put a folder under version control in a terminal:')}</p>
      <CopyBlock text={FIRST_REPO} />
    </div>
  );
}

/** One quiet sentence where a list is empty. */
export function Nothing(props: { text: string }): JSX.Element {
  return <div className="dvm-State">{props.text}</div>;
}
