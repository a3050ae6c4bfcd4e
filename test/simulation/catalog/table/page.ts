// docs/protocols.md: the table of protocols and faults, as it was measured, with words on what surprises.
import type { Catalog } from '../../../../src/catalog/catalog.js';
import { FAULTS, type TableFault } from './faults.js';
import { type Measured, measure, messagesAnUpdate } from './measure.js';
import { NOTES } from './notes.js';

const PROTOCOLS: readonly Catalog['protocol'][] = ['raft', 'viewstamped', 'primary-backup', 'quorum', 'lazy'];

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
`;

/** @param progress called with what is measured next */
export async function protocolsPage(progress: (what: string) => void): Promise<string> {
  progress('messages an update');
  const parts = [INTRODUCTION, await costsSection()];
  for (const fault of FAULTS) {
    progress(fault.name);
    parts.push(await faultSection(fault));
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

/** What the page says of one fault. */
export async function faultSection(fault: TableFault): Promise<string> {
  const rows: string[] = [];
  for (const protocol of PROTOCOLS) rows.push(row(protocol, await measure(protocol, fault)));
  const note = NOTES[fault.name];
  return [
    `## ${fault.name[0]?.toUpperCase()}${fault.name.slice(1)}`,
    '',
    '| protocol | answer | longest wait | stale reads | lost | maps | agree after |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
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

function row(protocol: Catalog['protocol'], measured: Measured): string {
  const { answering, longestWaitMs, staleReads, reads, lostUpdates, differentMaps, agreedAfterMs } = measured;
  const cells = [
    protocol,
    `${answering} of 5`,
    duration(longestWaitMs),
    staleReads === 0 ? '0' : `**${staleReads}** of ${reads}`,
    lostUpdates === 0 ? '0' : `**${lostUpdates}**`,
    String(differentMaps),
    agreedAfterMs === null ? '**never**' : duration(agreedAfterMs),
  ];
  return `| ${cells.join(' | ')} |`;
}

function duration(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'until it ends';
  return ms < 1000 ? `${Math.round(ms / 10) * 10} ms` : `${(ms / 1000).toFixed(1)} s`;
}
