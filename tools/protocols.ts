// npm run protocols: runs the five protocols under the same dozen faults, and writes docs/protocols.md. With --record FILE it also
// writes the runs that the table was measured on, for the page.
import { writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { Command } from 'commander';
import {
  COLLECTION_VERSION,
  type CollectionHeader,
  type CollectionPlace,
  type CollectionTable,
} from '../src/recording/collection.js';
import { protocolsPage, type RecorderOf } from '../test/simulation/catalog/table/page.js';
import { COLUMN_TITLES } from '../test/simulation/catalog/table/table.js';
import { Recorder } from '../test/simulation/recording/recorder.js';

const SERVERS = 5;

interface Run {
  protocol: string;
  fault: string;
  pieces: string[];
}

const command = new Command('protocols')
  .description('Runs the five protocols under the same faults, and writes docs/protocols.md.')
  .option('--record <file>', 'write recordings of all runs, with the table, for the page');

async function main(): Promise<void> {
  const { record }: { record?: string } = command.parse().opts();
  const runs: Run[] = [];
  const recorderOf: RecorderOf = (protocol, fault) => {
    const run: Run = { protocol, fault, pieces: [] };
    runs.push(run);
    return new Recorder({
      write: (text) => run.pieces.push(text),
      title: `${protocol}: ${fault}`,
      command: 'npm run protocols -- --record FILE',
      processes: [...several('client', 'client'), ...several('s', 'catalog')],
    });
  };
  const progress = (what: string) => process.stderr.write(`${what}\n`);
  const { page, tables } = await protocolsPage(progress, record === undefined ? undefined : recorderOf);
  await writeFile('docs/protocols.md', page);
  if (record !== undefined) await writeFile(record, collectionOf(tables, runs));
}

function several<Kind extends 'client' | 'catalog'>(name: string, kind: Kind): { name: string; kind: Kind }[] {
  return Array.from({ length: SERVERS }, (_, at) => ({ name: `${name}${at + 1}`, kind }));
}

function collectionOf(tables: CollectionTable[], runs: readonly Run[]): Buffer {
  const recordings: CollectionPlace[] = [];
  const bodies: Buffer[] = [];
  let start = 0;
  for (const { protocol, fault, pieces } of runs) {
    const body = gzipSync(pieces.join(''), { level: 9 });
    recordings.push({ protocol, fault, start, bytes: body.length });
    bodies.push(body);
    start += body.length;
  }
  const header: CollectionHeader = {
    ...{ nmrfs: 'recordings', version: COLLECTION_VERSION, title: 'Five protocols under the same faults' },
    ...{ columns: COLUMN_TITLES, tables, recordings },
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...bodies]);
}

await main();
