// A process for the test of the index: fills it and empties it again, row by
// row and all at once, with more and more rows.
import { lmdbIndex } from '../../../src/dataserver/index/lmdb-index.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { memoryRuntime } from './harness.js';

const MOST_ROWS = 100;

const directory = process.argv[2];
if (directory === undefined) throw new Error('the folder is missing');
const index = await lmdbIndex(directory, { ...memoryRuntime(new MemoryDisk()), disk: nodeDisk });
for (let rows = 1; rows <= MOST_ROWS; rows++) {
  const keys = Array.from({ length: rows }, (_, row) => Buffer.from([row]));
  for (const key of keys) index.write([{ key, value: Buffer.alloc(200) }]);
  for (const key of keys) index.write([{ key, value: null }]);
  for (const key of keys) index.write([{ key, value: Buffer.alloc(200) }]);
  index.write(keys.map((key) => ({ key, value: null })));
}
const left = index.range(Buffer.from([0]), Buffer.from([255]), 1);
await index.close();
process.stdout.write(`${left.length} left\n`);
