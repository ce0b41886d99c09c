import { useVirtualizer, defaultRangeExtractor } from '@tanstack/react-virtual';
import React, { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';

/** Height of an item of two lines (`dvm-Item`), and what an error below them adds, px. */
export const ITEM_PX = 48;
export const ITEM_ERROR_PX = 34;

/** Rows from the end of a list at which the next page is asked for. */
const NEAR_END = 200;

type RowsProps<R> = {
  /** What the list is called for those who cannot see it. */
  label: string;
  rows: readonly R[];
  keyOf: (row: R) => string;
  /** Height of a row, px. */
  height: (row: R) => number;
  /** Level of a row in a tree, from 1; a flat list without it. */
  level?: (row: R) => number;
  /** Whether a row of a tree is expanded; undefined where it cannot be. */
  expanded?: (row: R) => boolean | undefined;
  /** Whether there is more than `rows`, so that the number of all is unknown. */
  partial?: boolean;
  className?: (row: R) => string;
  title?: (row: R) => string | undefined;
  /** The content; `active` rows have the tab key stop at their buttons. */
  render: (row: R, active: boolean) => React.ReactNode;
  /** Enter, or a click or double click on the row. */
  onOpen?: (row: R) => void;
  /** Whether a single click opens the row; with `false` it takes two. */
  opensOnClick?: (row: R) => boolean;
  /** Right and left arrow in a tree. */
  onExpand?: (row: R, expand: boolean) => void;
  /** Backspace. */
  onUp?: () => void;
  /** A row got the focus. */
  onSelect?: (row: R) => void;
  /** The end of the list comes into view. */
  onNearEnd?: () => void;
};

/**
 * A list or tree of which only the visible rows exist in the page, so that 100,000 stay smooth.
 *
 * One row can be reached with the tab key, arrows go from row to row, as the ARIA practices
 * describe for grids.
 */
export function Rows<R>(props: RowsProps<R>): JSX.Element {
  const { rows, keyOf, height } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [activeKey, setActiveKey] = useState<string | null>(null);
  const moveFocus = useRef(false);
  const lastActive = useRef(0);
  const active = useMemo(() => {
    const found = activeKey === null ? -1 : rows.findIndex(row => keyOf(row) === activeKey);
    return found >= 0 ? found : Math.max(Math.min(lastActive.current, rows.length - 1), 0);
  }, [rows, keyOf, activeKey]);
  // Whether the focus is here before the page changes: it is lost with a row that goes away.
  const hadFocus = scroller.current?.contains(document.activeElement) ?? false;

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: index => height(rows[index]),
    // Positions are computed anew exactly when this function is another one.
    getItemKey: useCallback((index: number) => keyOf(rows[index]), [rows, keyOf]),
    overscan: 12,
    // The row with the focus stays in the page, or the focus would be lost with it.
    rangeExtractor: useCallback(
      (range: Parameters<typeof defaultRangeExtractor>[0]) => {
        const indexes = defaultRangeExtractor(range);
        return indexes.includes(active) || active >= range.count
          ? indexes
          : [...indexes, active].sort((a, b) => a - b);
      },
      [active]
    )
  });

  const visible = virtual.getVirtualItems();
  const last = visible.length ? visible[visible.length - 1].index : 0;
  const { onNearEnd } = props;
  useEffect(() => {
    if (rows.length && last >= rows.length - NEAR_END) {
      onNearEnd?.();
    }
  }, [last, rows.length, onNearEnd]);

  useLayoutEffect(() => {
    lastActive.current = active;
    if (hadFocus && !scroller.current?.contains(document.activeElement)) {
      moveFocus.current = true;
    }
    if (moveFocus.current) {
      const row = scroller.current?.querySelector<HTMLElement>(`[data-index="${active}"]`);
      if (row) {
        moveFocus.current = false;
        row.focus({ preventScroll: true });
      }
    }
  });

  const goTo = (index: number) => {
    const target = Math.min(Math.max(index, 0), rows.length - 1);
    if (target >= 0) {
      moveFocus.current = true;
      setActiveKey(keyOf(rows[target]));
      virtual.scrollToIndex(target);
    }
  };
  const tree = props.level !== undefined;

  const onKeyDown = (event: React.KeyboardEvent, row: R, index: number) => {
    if (event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    const page = Math.max(Math.floor((scroller.current?.clientHeight ?? 0) / height(row)) - 1, 1);
    const onRow = event.target === event.currentTarget;
    const moves: Record<string, number> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: rows.length - 1
    };
    if (event.key in moves) {
      goTo(moves[event.key]);
    } else if (tree && event.key === 'ArrowRight' && props.expanded?.(row) === false) {
      props.onExpand?.(row, true);
    } else if (tree && event.key === 'ArrowLeft') {
      if (props.expanded?.(row)) {
        props.onExpand?.(row, false);
      } else {
        goTo(parentOf(rows, index, props.level!));
      }
    } else if (event.key === 'Backspace' && props.onUp) {
      props.onUp();
    } else if (onRow && (event.key === 'Enter' || event.key === ' ')) {
      props.onOpen?.(row);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div className="dvm-Rows" ref={scroller}>
      <div
        className="dvm-Rows-all"
        role={tree ? 'treegrid' : 'grid'}
        aria-label={props.label}
        aria-rowcount={props.partial ? -1 : rows.length}
        style={{ height: virtual.getTotalSize() }}
      >
        {visible.map(item => {
          const row = rows[item.index];
          const isActive = item.index === active;
          return (
            <div
              key={item.key}
              role="row"
              data-index={item.index}
              className={`dvm-Row ${props.className?.(row) ?? ''}`}
              title={props.title?.(row)}
              aria-rowindex={item.index + 1}
              aria-level={props.level?.(row)}
              aria-expanded={props.expanded?.(row)}
              tabIndex={isActive ? 0 : -1}
              style={{ height: item.size, transform: `translateY(${item.start}px)` }}
              onFocus={() => {
                setActiveKey(keyOf(row));
                props.onSelect?.(row);
              }}
              onContextMenu={() => props.onSelect?.(row)}
              onClick={() => {
                if (props.opensOnClick?.(row) !== false) {
                  props.onOpen?.(row);
                }
              }}
              onDoubleClick={() => {
                if (props.opensOnClick?.(row) === false) {
                  props.onOpen?.(row);
                }
              }}
              onKeyDown={event => onKeyDown(event, row, item.index)}
            >
              <div role="gridcell" className="dvm-Row-cell">
                {props.render(row, isActive)}
              </div>
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** Index of the nearest row before `index` on a higher level. */
function parentOf<R>(rows: readonly R[], index: number, level: (row: R) => number): number {
  for (let above = index - 1; above >= 0; above--) {
    if (level(rows[above]) < level(rows[index])) {
      return above;
    }
  }
  return index;
}
