// The table of protocols and faults: a row a protocol, of which each cell knows when what it counts was to be seen.
import type { Catalog } from '../../../../src/catalog/catalog.js';
import type { ProtocolRow } from '../../../../src/recording/collection.js';
import type { Recorder } from '../../recording/recorder.js';
import type { TableFault } from './faults.js';
import { type Measured, type Moments, measure } from './measure.js';

export const PROTOCOLS: readonly Catalog['protocol'][] = ['raft', 'viewstamped', 'primary-backup', 'quorum', 'lazy'];

interface Column {
  title: string;
  text: (measured: Measured) => string;
  moment: keyof Moments;
}

const COLUMNS: readonly Column[] = [
  { title: 'answer', text: ({ answering }) => `${answering} of 5`, moment: 'answering' },
  { title: 'longest wait', text: ({ longestWaitMs }) => duration(longestWaitMs), moment: 'longestWait' },
  {
    title: 'stale reads',
    text: ({ staleReads, reads }) => (staleReads === 0 ? '0' : `**${staleReads}** of ${reads}`),
    moment: 'staleReads',
  },
  { title: 'lost', text: ({ lostUpdates }) => (lostUpdates === 0 ? '0' : `**${lostUpdates}**`), moment: 'lostUpdates' },
  { title: 'maps', text: ({ differentMaps }) => String(differentMaps), moment: 'differentMaps' },
  {
    title: 'agree after',
    text: ({ agreedAfterMs }) => (agreedAfterMs === null ? '**never**' : duration(agreedAfterMs)),
    moment: 'agreed',
  },
];

export const COLUMN_TITLES: readonly string[] = COLUMNS.map(({ title }) => title);

/** @param recorder records the run */
export async function measureRow(
  protocol: Catalog['protocol'],
  fault: TableFault,
  recorder?: Recorder,
): Promise<ProtocolRow> {
  const measured = await measure(protocol, fault, recorder);
  const cells = COLUMNS.map(({ text, moment }) => ({
    text: text(measured),
    atUs: Math.round(measured.moments[moment] * 1000),
  }));
  return { protocol, cells };
}

function duration(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'until it ends';
  return ms < 1000 ? `${Math.round(ms / 10) * 10} ms` : `${(ms / 1000).toFixed(1)} s`;
}
