// Blocks against replicas, a ballot in each cell. Only the rows in view are there,
// however many the file has.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { BALLOT_WORDS } from '../../explain/vote.js';
import { useStore } from '../live/store.js';
import { countText } from '../parts/figures.js';
import { rowOf, SIGNS } from './ballot-kinds.js';
import type { Ballots } from './ballots.js';

interface Props {
  ballots: Ballots;
  servers: readonly string[];
  /** Of the file. */
  blocks: number;
  chosen: number | null;
  choose: (index: number) => void;
}

const ROW_PX = 30;
/** Rows above and below those in view, for a smooth beginning of a scroll. */
const MARGIN_ROWS = 8;
/** A scroll that goes on looks at nothing. */
const REST_MS = 90;

interface Focus {
  row: number;
  column: number;
}

export function Grid({ ballots, servers, blocks, chosen, choose }: Props) {
  useStore(ballots.changes);
  const place = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(400);
  const [focus, setFocus] = useState<Focus>({ row: chosen ?? 0, column: 0 });
  const mustFocus = useRef(false);
  const first = Math.max(0, Math.floor(top / ROW_PX) - MARGIN_ROWS);
  const last = Math.min(blocks - 1, Math.ceil((top + height) / ROW_PX) + MARGIN_ROWS);

  useEffect(() => {
    const timer = setTimeout(() => ballots.look(first, last), REST_MS);
    return () => clearTimeout(timer);
  }, [ballots, first, last]);

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const resized = new ResizeObserver(() => setHeight(element.clientHeight));
    resized.observe(element);
    return () => resized.disconnect();
  }, []);

  // A link leads to a block.
  useEffect(() => {
    if (chosen !== null) showRow(place.current, chosen);
  }, []);

  useLayoutEffect(() => {
    if (!mustFocus.current) return;
    mustFocus.current = false;
    place.current?.querySelector<HTMLElement>(`[data-row="${focus.row}"] [data-column="${focus.column}"]`)?.focus();
  });

  const go = (row: number, column: number): void => {
    const next = { row: clamp(row, blocks - 1), column: clamp(column, servers.length - 1) };
    mustFocus.current = true;
    showRow(place.current, next.row);
    setFocus(next);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const { row, column } = focus;
    const page = Math.max(1, Math.floor(height / ROW_PX) - 2);
    const steps: Record<string, () => void> = {
      ArrowDown: () => go(row + 1, column),
      ArrowUp: () => go(row - 1, column),
      ArrowRight: () => go(row, column + 1),
      ArrowLeft: () => go(row, column - 1),
      PageDown: () => go(row + page, column),
      PageUp: () => go(row - page, column),
      Home: () => (event.ctrlKey ? go(0, 0) : go(row, 0)),
      End: () => (event.ctrlKey ? go(blocks - 1, column) : go(row, servers.length - 1)),
      Enter: () => choose(row),
      ' ': () => choose(row),
    };
    const step = Object.hasOwn(steps, event.key) ? steps[event.key] : undefined;
    if (step === undefined) return;
    event.preventDefault();
    step();
  };

  const rows = useMemo(() => {
    const shown = Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at);
    // The row that has the focus stays, or the focus would be lost with it.
    return focus.row < first || focus.row > last ? [...shown, focus.row] : shown;
  }, [first, last, focus.row]);

  return (
    <div class="grid-frame" ref={(element) => element?.style.setProperty('--replicas', String(servers.length))}>
      <div
        class="grid"
        role="grid"
        aria-label="Blocks against replicas"
        aria-rowcount={blocks + 1}
        aria-colcount={servers.length + 2}
        ref={place}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        onKeyDown={onKeyDown}
      >
        <div class="grid-row grid-head" role="row" aria-rowindex={1}>
          <HeadCell column={1} name="Block" />
          {servers.map((name, at) => (
            <HeadCell key={name} column={at + 2} name={name} />
          ))}
          <HeadCell column={servers.length + 2} name="Verdict" />
        </div>
        <div
          role="presentation"
          class="grid-space"
          ref={(element) => element?.style.setProperty('height', `${blocks * ROW_PX}px`)}
        >
          {rows.map((row) => (
            <GridRow
              key={row}
              row={row}
              {...{ ballots, servers, focus, choose }}
              isChosen={row === chosen}
              focused={setFocus}
              version={ballots.changes.value}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function HeadCell({ column, name }: { column: number; name: string }) {
  return (
    <div role="columnheader" aria-colindex={column} class="grid-name" title={name}>
      {name}
    </div>
  );
}

interface RowProps {
  row: number;
  ballots: Ballots;
  servers: readonly string[];
  focus: Focus;
  focused: (focus: Focus) => void;
  isChosen: boolean;
  choose: (index: number) => void;
  version: number;
}

function GridRow({ row, ballots, servers, focus, focused, isChosen, choose }: RowProps) {
  const vote = ballots.at(row);
  const { kinds, agreeing, isAgreed } = vote ? rowOf(vote) : { kinds: [], agreeing: 0, isAgreed: false };
  return (
    <div
      class={`grid-row ${isChosen ? 'chosen' : ''}`}
      role="row"
      aria-rowindex={row + 2}
      aria-selected={isChosen}
      data-row={row}
      ref={(element) => element?.style.setProperty('transform', `translateY(${row * ROW_PX}px)`)}
    >
      <div role="rowheader" aria-colindex={1} class="grid-index">
        {countText(row)}
      </div>
      {servers.map((server, column) => {
        const kind = vote === null ? 'hole' : (kinds[column] ?? 'pending');
        const word = kind === 'hole' ? 'nothing to store' : BALLOT_WORDS[kind];
        return (
          <div
            key={server}
            role="gridcell"
            aria-colindex={column + 2}
            aria-label={`${server}: ${word}`}
            class={`cell ${kind}`}
            data-column={column}
            tabIndex={focus.row === row && focus.column === column ? 0 : -1}
            onFocus={() => focused({ row, column })}
            onClick={() => choose(row)}
            title={`${server}: ${word}`}
          >
            {kind === 'hole' ? '' : SIGNS[kind]}
          </div>
        );
      })}
      <div role="gridcell" aria-colindex={servers.length + 2} class={`grid-verdict ${isAgreed ? 'good' : 'bad'}`}>
        {vote === undefined ? <span class="soft">…</span> : vote === null ? <span class="soft">hole</span> : null}
        {vote ? `${isAgreed ? '✓' : '✕'} ${agreeing} of ${servers.length}` : null}
      </div>
    </div>
  );
}

/** Scrolls as little as is needed. */
function showRow(element: HTMLElement | null, row: number): void {
  if (element === null) return;
  const { scrollTop, clientHeight } = element;
  const top = row * ROW_PX;
  if (top < scrollTop) element.scrollTop = top;
  // The head covers a row.
  else if (top + 2 * ROW_PX > scrollTop + clientHeight) element.scrollTop = top + 2 * ROW_PX - clientHeight;
}

function clamp(value: number, most: number): number {
  return Math.max(0, Math.min(most, value));
}
