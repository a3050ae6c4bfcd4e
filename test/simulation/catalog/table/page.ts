// docs/protocols.md: the table of protocols and faults, as it was measured, with words on what surprises.
import type { CollectionTable } from '../../../../src/recording/collection.js';
import type { Recorder } from '../../recording/recorder.js';
import { FAULTS, type TableFault } from './faults.js';
import { messagesAnUpdate } from './measure.js';
import { NOTES } from './notes.js';
import { COLUMN_TITLES, measureRow, PROTOCOLS } from './table.js';

const INTRODUCTION = `# Five protocols under the same faults

\`npm run protocols\` writes this page, and a test compares it. Five servers of a catalog run on a virtual clock, with the real code and
simulated disks and network. Five clients, each of which begins at a server of its own, write a path of their own and read those of
the others, every 40 ms. A client that gets no answer for half a second goes on to the next server. Each fault begins after a second,
lasts for three, and ends. «The leader» is the primary, or the first server where nobody leads. Heartbeats are sent every 125 ms,
gossip goes round every second.

- **answer**: how many servers have answered writes while the fault lasted, after its first second.
- **longest wait**: of any client, for an answer to a write, while the fault lasted.
- **stale reads**: those that found less than had been answered before they began, and did not say so, of all reads of the run.
- **lost**: how many of the five paths have lost their last update that was answered.
- **maps**: how many different maps the running servers had when the fault ended; what is under way makes a difference too.
- **agree after**: from the end of the fault until all five had the same map.

Each number is a link into the recording of its run in the page's view Replay, which also \`nmrfs replay\` shows
([recordings.md](recordings.md)).
`;

/** Makes what records the run of one protocol under one fault. */
export type RecorderOf = (protocol: string, fault: string) => Recorder;

/**
 * @param progress called with what is measured next
 * @param recorderOf has each run recorded
 */
export async function protocolsPage(
  progress: (what: string) => void,
  recorderOf?: RecorderOf,
): Promise<{ page: string; tables: CollectionTable[] }> {
  progress('messages an update');
  const parts = [INTRODUCTION, await costsSection()];
  const tables: CollectionTable[] = [];
  for (const fault of FAULTS) {
    progress(fault.name);
    const table = await measureFault(fault, recorderOf);
    tables.push(table);
    parts.push(sectionOf(table));
  }
  return { page: `${parts.join('\n').trimEnd()}\n`, tables };
}

/** What the page says of one fault. */
export async function faultSection(fault: TableFault): Promise<string> {
  return sectionOf(await measureFault(fault));
}

export async function measureFault(fault: TableFault, recorderOf?: RecorderOf): Promise<CollectionTable> {
  const rows = [];
  for (const protocol of PROTOCOLS) rows.push(await measureRow(protocol, fault, recorderOf?.(protocol, fault.name)));
  const note = NOTES[fault.name];
  return { fault: fault.name, ...(note === undefined ? {} : { note }), rows };
}

export function sectionOf({ fault, rows, note }: CollectionTable): string {
  return [
    `## ${fault[0]?.toUpperCase()}${fault.slice(1)}`,
    '',
    `| protocol | ${COLUMN_TITLES.join(' | ')} |`,
    `| --- |${' --- |'.repeat(COLUMN_TITLES.length)}`,
    ...rows.map(({ protocol, cells }) => `| ${[protocol, ...cells.map(({ text }) => text)].join(' | ')} |`),
    '',
    ...(note === undefined ? [] : [note, '']),
  ].join('\n');
}

async function costsSection(): Promise<string> {
  const rows: string[] = [];
  for (const protocol of PROTOCOLS) rows.push(`| ${protocol} | ${(await messagesAnUpdate(protocol)).toFixed(1)} |`);
  return [
    '## What an update costs',
    '',
    'Messages between the five servers, beyond those of servers that have nothing to do. Requests, answers and acknowledgements count',
    'alike; what goes together in one message counts once.',
    '',
    '| protocol | messages |',
    '| --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
