// Looks at the disks and at the namespace from outside, without time passing:
// which server holds which version, and with which bytes. The judge's
// knowledge: no server ever sees it.
import { openDataserver } from '../../src/dataserver/dataserver.js';
import { memoryIndexFactory } from '../../src/dataserver/index/memory-index.js';
import type { BlockKey } from '../../src/protocol/services/blocks.js';
import type { BlockReference } from '../../src/protocol/services/metadata.js';
import type { Hash } from '../../src/protocol/values/hash.js';
import type { Clock } from '../../src/runtime/clock.js';
import { silentLog } from '../../src/runtime/log.js';
import type { Network } from '../../src/runtime/network.js';
import { type DataHost, type SimulatedCluster, STORE_DIRECTORY } from './cluster.js';
import { versionKey } from './version-key.js';
import { carryNow, SimulatedDisk } from './world/disk.js';
import { SeededRandom } from './world/seeded-random.js';

/** The hash of every version that a server holds, as computed from its bytes; null when they can't be read. */
export type Holdings = ReadonlyMap<string, Hash | null>;

export type CurrentBlock = BlockReference & { inode: number };

/** Nothing that an inspected server would do later is done. */
const standingClock: Clock = {
  nowNs: () => 0n,
  monotonicMs: () => 0,
  after: () => ({ cancel() {} }),
  afterTurn: () => {},
};

const noNetwork: Network = {
  connect: () => Promise.reject(new Error('there is no network here')),
  listen: () => Promise.reject(new Error('there is no network here')),
};

const PAGE_ENTRIES = 1000;

/** What a server would find on this disk, were it started with its index lost; null when it could not start. */
export async function inspectDisk({ host, number }: DataHost): Promise<Holdings | null> {
  const disk = new SimulatedDisk(host.platter.copy(), carryNow, { failSyncs: false, stalled: null });
  const random = new SeededRandom(number);
  const runtime = { clock: standingClock, random, log: silentLog, network: noNetwork, disk };
  const options = { name: host.name, number, directory: STORE_DIRECTORY, testHooks: false };
  const exits = { terminate() {}, restart() {} };
  let server: Awaited<ReturnType<typeof openDataserver>>;
  try {
    server = await openDataserver(options, runtime, memoryIndexFactory(), exits);
  } catch {
    return null;
  }
  const holdings = new Map<string, Hash | null>();
  for (let after: BlockKey | undefined; ; ) {
    const request = after === undefined ? { limit: PAGE_ENTRIES } : { after, limit: PAGE_ENTRIES };
    const { entries, next } = await server.blocks.list(request);
    const items = entries.map(({ inode, index, version, length }) => ({
      ...{ inode, index, version, length },
      offset: 0,
      data: false,
    }));
    const { results } = await server.blocks.get({ items });
    items.forEach((item, position) => {
      const result = results[position];
      holdings.set(versionKey(item), result?.state === 'present' ? result.hash : null);
    });
    if (next === undefined) return holdings;
    after = next;
  }
}

/** Every block that the namespace names, as the metaserver that leads knows it; null while there is none. */
export async function currentBlocks({ metadata }: SimulatedCluster): Promise<CurrentBlock[] | null> {
  if (metadata === null) return null;
  const { blocks, done } = await metadata.query({ name: 'allBlocks', request: { limit: 4000 } });
  if (!done) throw new Error('the simulation keeps more blocks than one page');
  return blocks;
}
