// What lives as long as a process (listeners, timers, maps) must not grow with what is done: after many operations through
// two mounts there is as much of it as after few.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'mocha';
import { forgetfulKernelCache } from '../../src/fuse-client/cache/kernel-cache.js';
import { Operations } from '../../src/fuse-client/operations/operations.js';
import type { Mediator } from '../../src/mediator/mediator.js';
import { ROOT_INODE } from '../../src/protocol/services/files.js';
import type { CallOptions } from '../../src/protocol/services/service.js';
import type { Clock } from '../../src/runtime/clock.js';
import { eventually, FakeCluster } from '../support/fake-cluster.js';

const CALLER = { uid: 0, gid: 0 };
const BOTH = 2;
const OPERATIONS_PER_ROUND = 100;
/** Rounds until all caches have seen all that will be in them. */
const FIRST_ROUNDS = 60;
const OPERATIONS = 100_000;
/** Caches with a limit of their own, which is their owner's to keep. Everything else must be as before. */
const CACHES: ReadonlyMap<string, number> = new Map([
  ['mediator blockMaps', 4096],
  ['mediator names', 65_536],
  ['mediator knownRows', 131_072],
  ['mediator filesReadAhead', 8192],
  ['mediator sessionChanges', 512],
  ['mount recentAttributes', 1024],
  ['mount bareInodes', 65_536],
  ['mount toldAccessTimes', 4096],
]);

/** What is gone when all that was asked for has been done. */
const TRANSIENT = [
  'mediator heldFiles',
  'mediator sessionFiles',
  'mediator waitingAudits',
  'mediator waitingRepairs',
  'mediator unsyncedCommands',
  'mount unsyncedInodes',
  'mount unsyncedTimers',
];

const neverAborts = new AbortController().signal;
const uninterrupted = () => neverAborts;

/** Counts timers that are neither due nor cancelled. */
function counting(clock: Clock): Clock & { pending: number } {
  const counted = {
    pending: 0,
    nowNs: () => clock.nowNs(),
    monotonicMs: () => clock.monotonicMs(),
    afterTurn: (action: () => void) => clock.afterTurn(action),
    after(delayMs: number, action: () => void) {
      let isPending = true;
      const end = () => {
        if (isPending) counted.pending--;
        isPending = false;
      };
      counted.pending++;
      const timer = clock.after(delayMs, () => {
        end();
        action();
      });
      return {
        cancel() {
          end();
          timer.cancel();
        },
      };
    },
  };
  return counted;
}

/** Mounts in the mediator's process, each known by an object of its own; `signals` gets all that they give with a question. */
async function mountOf(mediator: Mediator, cluster: FakeCluster, signals: Set<AbortSignal>): Promise<Operations> {
  const peer = {};
  const asPeer = <T extends object>(service: T): T =>
    new Proxy(service, {
      get: (target, member) => (request: object, options?: CallOptions) => {
        if (options?.signal !== undefined) signals.add(options.signal);
        const method = Reflect.get(target, member) as (request: object, options: CallOptions) => unknown;
        return method.call(target, request, { ...options, peer });
      },
    });
  const settings = { attributeTimeoutMs: 10_000, maximumDirtyBytes: 2 ** 20, accessTimes: 'relatime' as const };
  const operations = new Operations(asPeer(mediator.files), settings, forgetfulKernelCache, cluster.runtime, {
    sessions: asPeer(mediator.sessions),
  });
  await operations.start();
  return operations;
}

/** What programs do with one file through two mounts; OPERATIONS_PER_ROUND calls. */
async function round(here: Operations, there: Operations, number: number): Promise<void> {
  const name = `file-${number % 50}`;
  const { handle, attributes } = await here.files.create(ROOT_INODE, name, 0o644, BOTH, CALLER);
  const { inode } = attributes;
  const lock = { kind: 'posix', owner: 1n, start: 0n, end: 9n, pid: 1 } as const;
  await here.content.write(handle, 0, Buffer.from('some bytes'), {}, uninterrupted);
  await here.locks.set(handle, { ...lock, type: 'write' }, false, neverAborts);
  await here.locks.set(handle, { ...lock, type: null }, false, neverAborts);
  await here.files.flush(handle);
  await here.files.release(handle);
  await there.names.lookup(ROOT_INODE, name);
  const { handle: reading } = await there.files.open(inode, 0);
  await there.content.read(reading, 0, 10, uninterrupted);
  await there.attributes.get(inode);
  for (let time = 1n; time <= 22n; time++) {
    await there.attributes.set(inode, { modifyTimeNs: time }, CALLER);
    for (const mount of [here, there, here]) await mount.attributes.get(inode);
  }
  await here.names.unlink(ROOT_INODE, name);
  await there.files.release(reading);
}

describe('two mounts', () => {
  it('leave nothing behind in 100,000 operations', async function () {
    this.timeout(120_000);
    const cluster = await FakeCluster.open({ servers: 1, readQuorum: 1 });
    const clock = counting(cluster.runtime.clock);
    Object.assign(cluster.runtime, { clock });
    const mediator = await cluster.mediator();
    const signals = new Set<AbortSignal>();
    const mounts = await Promise.all([0, 1].map(() => mountOf(mediator, cluster, signals)));
    const [first, second] = mounts;
    assert.ok(first !== undefined && second !== undefined);

    const look = (): Record<string, number> => {
      const found: Record<string, number> = { timers: clock.pending, listeners: 0 };
      for (const signal of signals)
        found.listeners = (found.listeners ?? 0) + getEventListeners(signal, 'abort').length;
      for (const [what, entries] of Object.entries(mediator.kept())) found[`mediator ${what}`] = entries;
      for (const mount of mounts) {
        for (const [what, entries] of Object.entries(mount.kept())) {
          found[`mount ${what}`] = (found[`mount ${what}`] ?? 0) + entries;
        }
      }
      return found;
    };

    let rounds = 0;
    /** Once nothing is under way any more. */
    const counts = async () => {
      // A mount tells of its last closes with its next question, and asks that when it has heard of something.
      for (const mount of mounts) await mount.attributes.set(ROOT_INODE, { modifyTimeNs: BigInt(rounds) }, CALLER);
      await eventually(() => {
        const found = look();
        return TRANSIENT.every((what) => found[what] === 0);
      });
      return look();
    };

    const run = async (count: number) => {
      for (const end = rounds + count; rounds < end; rounds++) {
        await (rounds % 2 === 0 ? round(first, second, rounds) : round(second, first, rounds));
      }
    };
    await run(FIRST_ROUNDS);
    const before = await counts();
    await run(OPERATIONS / OPERATIONS_PER_ROUND);
    const after = await counts();
    const grown = Object.entries(after).filter(
      ([what, entries]) =>
        entries > Math.max(before[what] ?? 0, (CACHES.get(what) ?? 0) * (what.startsWith('mount') ? 2 : 1)),
    );
    assert.deepEqual(grown, [], JSON.stringify({ before, after }));
    await Promise.all(mounts.map((mount) => mount.end()));
    await cluster.close();
  });
});
