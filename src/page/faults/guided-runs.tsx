// Stories and tables as runs that anybody can start, on files in a folder of their own.
import { useState } from 'preact/hooks';
import type { ClusterSnapshot } from '../../protocol/page/messages.js';
import { Store, useStore } from '../live/store.js';
import { type Hands, Stopped } from './runs/hands.js';
import { pageHands } from './runs/page-hands.js';
import { STORIES, type Step, type Story } from './runs/stories.js';
import { type Cell, runTable, TABLES, type Table } from './runs/tables.js';
import { StorySteps } from './story-steps.js';
import { type Found, TableCells } from './table-cells.js';

type Run = { story: Story } | { table: Table };

interface Shown {
  run: Run;
  steps: readonly Step[];
  found: readonly Found[];
  state: 'under way' | 'done' | 'stopped' | 'failed';
  failure: string;
}

/** Outside of the view: a run goes on while its starter looks at another one. */
const current = new Store<Shown | null>(null);
let isToStop = false;

export function GuidedRuns({ cluster }: { cluster: ClusterSnapshot }) {
  const shown = useStore(current);
  const [count, setCount] = useState(2);
  const isUnderWay = shown?.state === 'under way';
  const servers = cluster.dataservers.map(({ name }) => name);
  const victims = servers.slice(0, Math.min(count, servers.length));

  const start = (run: Run): void => {
    isToStop = false;
    current.value = { run, steps: [], found: [], state: 'under way', failure: '' };
    const update = (change: (before: Shown) => Shown): void => {
      if (current.value !== null) current.value = change(current.value);
    };
    carryOut(
      run,
      pageHands(() => isToStop),
      victims,
      (step) => update((before) => ({ ...before, steps: [...before.steps, step] })),
      (cell, isDone) => update((before) => ({ ...before, found: [...before.found, { ...cell, isDone }] })),
    ).then(
      () => update((before) => ({ ...before, state: 'done' })),
      (error: unknown) =>
        update((before) => ({
          ...before,
          state: error instanceof Stopped ? 'stopped' : 'failed',
          failure: error instanceof Error ? error.message : String(error),
        })),
    );
  };

  return (
    <section class="panel stack" aria-labelledby="guided-runs">
      <h2 id="guided-runs">Guided runs</h2>
      <p class="soft">
        Each writes files in /nmrfs-runs, does to their replicas what its title says, and says whether that came out as
        the configuration promises. Crashed servers and changed quorums are put back at its end.
      </p>
      <label class="check" for="victims">
        Each story strikes
        <select
          id="victims"
          value={count}
          disabled={isUnderWay}
          onChange={({ currentTarget }) => setCount(Number(currentTarget.value))}
        >
          {servers.map((name, at) => (
            <option key={name} value={at + 1}>
              {at === 0 ? '1 data server' : `${at + 1} data servers`}
            </option>
          ))}
        </select>
      </label>
      <ul class="runs">
        {STORIES.map((story) => (
          <li key={story.name}>
            <button type="button" disabled={isUnderWay} onClick={() => start({ story })}>
              {story.title}
            </button>{' '}
            <span class="soft">{story.about}</span>
          </li>
        ))}
      </ul>
      <div class="row">
        {TABLES.map((table) => (
          <button
            key={table.number}
            type="button"
            disabled={isUnderWay || table.servers !== servers.length}
            onClick={() => start({ table })}
          >
            Table {table.number}
            <span class="soft"> Qr {table.readQuorum}</span>
          </button>
        ))}
      </div>
      <p class="soft">{otherTables(servers.length)}</p>
      {shown === null ? null : (
        <div class="run stack">
          <div class="row">
            <h3>{'story' in shown.run ? shown.run.story.title : `Table ${shown.run.table.number}`}</h3>
            <span role="status" class={shown.state === 'failed' ? 'failure' : 'soft'}>
              {shown.state === 'failed' ? `failed: ${shown.failure}` : shown.state}
            </span>
            {isUnderWay ? (
              <button
                type="button"
                onClick={() => {
                  isToStop = true;
                }}
              >
                Stop
              </button>
            ) : null}
          </div>
          {'story' in shown.run ? (
            <StorySteps steps={shown.steps} />
          ) : (
            <TableCells table={shown.run.table} found={shown.found} />
          )}
        </div>
      )}
    </section>
  );
}

async function carryOut(
  run: Run,
  hands: Hands,
  victims: readonly string[],
  tell: (step: Step) => void,
  found: (cell: Cell, isDone: boolean) => void,
): Promise<void> {
  try {
    if ('story' in run) await run.story.run(hands, victims, tell);
    else await runTable(run.table, hands, found);
  } finally {
    await hands.clear();
  }
}

function otherTables(servers: number): string {
  const what =
    'A table tries writes and reads with ever more corrupted or crashed replicas, and compares what succeeds with what the quorums promise.';
  const counts = [...new Set(TABLES.map((table) => table.servers))].filter((count) => count !== servers);
  if (counts.length === 0) return what;
  const numbers = TABLES.filter((table) => table.servers !== servers).map(({ number }) => number);
  const others = numbers.length === 1 ? `Table ${numbers[0]} needs` : 'Those in grey need';
  const inits = counts.map((count) => `«nmrfs init --data-servers ${count}»`).join(' or ');
  return `${what} ${others} another cluster: ${inits} makes one.`;
}
