import { useVirtualizer } from '@tanstack/react-virtual';
import React, { useCallback, useEffect, useRef } from 'react';

import { shortId } from '../format';
import type { LogModel, LogRow } from '../models/log';
import { useModel, useServices } from './context';
import { Failure, Loading, Nothing } from './states';

const LINE_PX = 18;
const DATUM_PX = 26;
/** How near to the end counts as being there, px. */
const AT_END_PX = 4;

const height = (row: LogRow) => (row.kind === 'datum' ? DATUM_PX : LINE_PX);

/** The lines that a job has printed; the newest stay in view until the user scrolls away from them. */
export function LogView(props: { model: LogModel }): JSX.Element {
  const { trans } = useServices();
  const model = useModel(props.model);
  const { rows } = model;
  if (!rows.length) {
    if (model.error) {
      return <Failure error={model.error} retry={() => void model.refresh()} />;
    }
    if (!model.ready) {
      return <Loading />;
    }
    return (
      <Nothing
        text={
          model.ended ? trans.__('Nothing was printed.') : trans.__('Nothing has been printed yet.')
        }
      />
    );
  }
  return <LogLines model={model} />;
}

function LogLines(props: { model: LogModel }): JSX.Element {
  const { trans } = useServices();
  const { model } = props;
  const { rows, following } = model;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: index => height(rows[index]),
    getItemKey: useCallback((index: number) => rows[index].number, [rows]),
    overscan: 20
  });
  const room = virtual.scrollRect?.height;
  useEffect(() => {
    if (following && scroller.current) {
      scroller.current.scrollTop = scroller.current.scrollHeight;
    }
  }, [following, rows, room]);
  const top = useRef(0);
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = scroller.current!;
    if (scrollHeight - scrollTop - clientHeight <= AT_END_PX) {
      model.following = true;
    } else if (scrollTop < top.current) {
      model.following = false; // up, by the user: new lines and another size only leave it behind
    }
    top.current = scrollTop;
  };
  return (
    <div
      className="dvm-Log"
      ref={scroller}
      role="log"
      aria-label={trans.__('Log')}
      aria-live="off"
      // The arrow keys scroll what has the focus.
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      onScroll={onScroll}
    >
      <div className="dvm-Log-all" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(item => {
          const row = rows[item.index];
          return (
            <div
              key={item.key}
              className={`dvm-Log-row ${className(row)}`}
              style={{ height: item.size, transform: `translateY(${item.start}px)` }}
              title={row.kind === 'line' ? new Date(row.line.time).toLocaleString() : row.datum}
            >
              {row.kind === 'line'
                ? row.line.text
                : trans.__('Datum %1, attempt %2', shortId(row.datum), row.attempt)}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function className(row: LogRow): string {
  if (row.kind === 'datum') {
    return 'dvm-mod-datum';
  }
  return row.line.engine ? 'dvm-mod-engine' : '';
}
