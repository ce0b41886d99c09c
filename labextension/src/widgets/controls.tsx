import { Time } from '@jupyterlab/coreutils';
import { copyIcon, type LabIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { CommandIDs } from '../commands';
import { useServices } from './context';

type IconButtonProps = {
  icon: LabIcon;
  label: string;
  onClick: (event: React.MouseEvent<HTMLButtonElement>) => void;
  /** Whether the tab key stops here; in lists only in the row that has the focus. */
  tabbable?: boolean;
  popup?: 'menu';
  disabled?: boolean;
};

/** A small button of the toolkit's own looks, named by its label for everybody who cannot see it. */
export function IconButton(props: IconButtonProps): JSX.Element {
  const { icon, label, tabbable = true } = props;
  return (
    <button
      type="button"
      className="jp-Button jp-mod-minimal dvm-IconButton"
      title={label}
      aria-label={label}
      aria-haspopup={props.popup}
      disabled={props.disabled}
      tabIndex={tabbable ? 0 : -1}
      onClick={event => {
        event.stopPropagation();
        props.onClick(event);
      }}
    >
      <icon.react tag="span" className="dvm-IconButton-icon" />
    </button>
  );
}

/** Lines to type elsewhere, with a button that copies them. */
export function CopyBlock(props: { text: string }): JSX.Element {
  const { execute, trans } = useServices();
  return (
    <div className="dvm-CopyBlock">
      <pre>{props.text.split(/(\s+)/).map(wholeWord)}</pre>
      <IconButton
        icon={copyIcon}
        label={trans.__('Copy')}
        onClick={() => execute(CommandIDs.copyText, { text: props.text })}
      />
    </div>
  );
}

/** A word of a command that stays on one line: `-y` must not be torn apart at its hyphen. */
function wholeWord(word: string, index: number): React.ReactNode {
  return /\S/.test(word) ? <span key={index}>{word}</span> : word;
}

/** How long ago something happened, with the exact time on hover. */
export function Age(props: { time: string }): JSX.Element {
  return (
    <time className="dvm-Age" dateTime={props.time} title={new Date(props.time).toLocaleString()}>
      {Time.formatHuman(props.time, 'narrow')}
    </time>
  );
}

/** Open the context menu that the settings declare for a row, below a button of that row. */
export function openRowMenu(event: React.MouseEvent<HTMLButtonElement>): void {
  const { left, bottom } = event.currentTarget.getBoundingClientRect();
  event.currentTarget.dispatchEvent(
    new MouseEvent('contextmenu', {
      bubbles: true,
      cancelable: true,
      clientX: left,
      clientY: bottom
    })
  );
}
