// A process for the kill test: makes files one after the other, every tenth
// durably, and prints the name of each durable one once it is promised.
import { openMetaserver } from '../../../src/metaserver/metaserver.js';
import { groupEngine } from '../../../src/metaserver/storage/group-engine.js';
import { lmdbEngine } from '../../../src/metaserver/storage/lmdb-engine.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import { makeRequest, ROOT, TestRuntime } from './harness.js';

const directory = process.argv[2];
if (directory === undefined) throw new Error('the folder is missing');
const { metadata } = await openMetaserver(
  { directory },
  { ...new TestRuntime(), disk: nodeDisk },
  groupEngine(lmdbEngine),
);
for (let n = 0; ; n++) {
  const durable = n % 10 === 0;
  await metadata.execute({ name: 'make', timeNs: BigInt(n), request: makeRequest(ROOT, `name${n}`), durable });
  if (durable) process.stdout.write(`${n}\n`);
  // Output needs a turn of the event loop.
  if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
}
