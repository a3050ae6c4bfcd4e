// When garbage is looked for, and what becomes of it when the metaserver refuses; the rest is tested with the writes and
// removals that make it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Counters } from '../../../src/mediator/counters.js';
import type { Replica } from '../../../src/mediator/replicas/replica.js';
import type { ReplicaSet } from '../../../src/mediator/replicas/replica-set.js';
import { HeldFiles } from '../../../src/mediator/sessions/held-files.js';
import { GarbageCollector } from '../../../src/mediator/upkeep/garbage.js';
import { Orphans } from '../../../src/mediator/upkeep/orphans.js';
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import type { GarbageEntry, MetadataService } from '../../../src/protocol/services/metadata.js';
import { SESSION_GRACE_MS } from '../../../src/protocol/services/sessions.js';
import { type LoggedEvent, makeFile, testRuntime } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';
import { openCluster, read, untilEachHolds, write } from './fixture.js';

interface Store {
  garbage?: number;
  orphans?: number[];
}

/** Requests that have come so far, as the collector is told. */
let requests = 0;

/** Two servers that forget, and a metaserver that refuses the commands for which `refuse` has an error. */
function collecting({ garbage = 0, orphans: unnamed = [] }: Store) {
  const clock = new ManualClock();
  const events: LoggedEvent[] = [];
  const runtime = { ...testRuntime(events), clock };
  let sequences = 0;
  const made = {
    clock,
    events,
    garbage: [] as GarbageEntry[],
    addGarbage(count: number) {
      for (let left = count; left > 0; left--) {
        const sequence = ++sequences;
        made.garbage.push({ sequence, inode: 9, index: sequence, version: 1 });
      }
    },
    /** Called when the metaserver has answered what garbage there is. */
    looking: () => {},
    /** Called when a server is told to forget something. */
    deleting: () => {},
    orphans: unnamed,
    /** Versions that the servers were told to forget. */
    deleted: 0,
    /** When the metaserver was told what is forgotten, after the grace period. */
    collectionsMs: [] as number[],
    reachable: [] as Replica[],
    refuse: (_name: string, _inode: number): Error | null => null,
  };
  made.addGarbage(garbage);
  const metadata = {
    query: async ({ name, request }: { name: string; request: { after?: number; limit: number } }) => {
      const { after = 0, limit } = request;
      if (name === 'orphans') return { inodes: made.orphans.filter((inode) => inode > after).slice(0, limit) };
      const entries = made.garbage.filter(({ sequence }) => sequence > after).slice(0, limit);
      made.looking();
      return { entries };
    },
    execute: async ({ name, request }: { name: string; request: { sequences: number[]; inode: number } }) => {
      if (name === 'collected') made.collectionsMs.push(clock.monotonicMs() - SESSION_GRACE_MS);
      const refusal = made.refuse(name, request.inode);
      if (refusal !== null) throw refusal;
      if (name === 'purge') {
        made.orphans = made.orphans.filter((inode) => inode !== request.inode);
        return { done: true };
      }
      const gone = new Set(request.sequences);
      made.garbage = made.garbage.filter(({ sequence }) => !gone.has(sequence));
      return {};
    },
  } as unknown as MetadataService;
  const servers = ['data1', 'data2'].map((name) => ({
    name,
    call: async <T>(call: () => Promise<T>) => call(),
    blocks: {
      delete: async ({ items }: { items: object[] }) => {
        made.deleted += items.length;
        made.deleting();
      },
    },
  })) as unknown as Replica[];
  made.reachable.push(...servers);
  const replicas = {
    reachable: () => made.reachable,
    replicas: servers,
    onChange() {},
  } as unknown as ReplicaSet;
  const held = new HeldFiles({ released: async () => {}, sparingEnded() {} });
  const orphans = new Orphans({ metadata, held, runtime, purged() {} });
  const collector = new GarbageCollector({
    metadata,
    replicas,
    orphans,
    counters: new Counters(),
    runtime,
    requests: () => requests,
  });
  return Object.assign(made, { held, collector });
}

/** Advances by so many tenths of a second, with a request, and what else is given, in each. */
async function busyFor(clock: ManualClock, tenths: number, action: () => void = () => {}): Promise<void> {
  for (let tenth = 0; tenth < tenths; tenth++) {
    requests++;
    action();
    await clock.advance(100);
  }
}

function logs({ events }: { events: LoggedEvent[] }, wanted: string): boolean {
  return events.some(({ event }) => event === wanted);
}

describe('the garbage collector', () => {
  it('waits a second for more, and less when somebody finds no room', async () => {
    const made = collecting({ garbage: 10 });
    const { clock, collector } = made;
    await clock.advance(SESSION_GRACE_MS);
    collector.wake();
    await clock.advance(1000);
    made.addGarbage(10);
    collector.wake();
    collector.hurry();
    collector.hurry();
    await clock.advance(1000);
    assert.deepEqual(made.collectionsMs, [1000, 1100]);
    await collector.close();
  });

  it('waits for a pause of requests, and no longer than four seconds', async () => {
    const made = collecting({ garbage: 10 });
    const { clock, collector } = made;
    await clock.advance(SESSION_GRACE_MS);
    collector.wake();
    await busyFor(clock, 20);
    assert.equal(made.collectionsMs.length, 0);
    await clock.advance(100);
    assert.equal(made.collectionsMs.length, 1);
    made.addGarbage(10);
    collector.wake();
    await busyFor(clock, 48);
    assert.equal(made.collectionsMs.length, 1);
    await busyFor(clock, 2);
    assert.equal(made.collectionsMs.length, 2);
    await collector.close();
  });

  it('waits for a pause from when there is garbage: writes that leave none begin no wait', async () => {
    const made = collecting({});
    const { clock, collector } = made;
    await clock.advance(SESSION_GRACE_MS);
    await busyFor(clock, 120, () => collector.wake());
    // A program that has written for long begins to delete.
    made.addGarbage(10);
    await busyFor(clock, 40, () => collector.wake());
    assert.equal(made.collectionsMs.length, 0);
    await clock.advance(200);
    assert.equal(made.collectionsMs.length, 1);
    await collector.close();
  });

  it('leaves what is made during a pass to the next one, which waits again', async () => {
    const made = collecting({ garbage: 10 });
    const { clock, collector } = made;
    await clock.advance(SESSION_GRACE_MS);
    const { length: servers } = made.reachable;
    let times = servers;
    made.deleting = () => {
      if (times-- <= 0) return;
      made.addGarbage(5);
      collector.wake();
    };
    collector.wake();
    await clock.advance(1000);
    assert.deepEqual([made.collectionsMs.length, made.garbage.length], [1, servers * 5]);
    await clock.advance(1000);
    assert.deepEqual([made.collectionsMs.length, made.garbage.length], [2, 0]);
    await collector.close();
  });

  it('collects nothing that comes while it looks: that waits for a pause too', async () => {
    const made = collecting({});
    const { clock, collector } = made;
    await clock.advance(SESSION_GRACE_MS);
    made.looking = () => {
      made.looking = () => {};
      made.addGarbage(10);
      collector.wake();
    };
    collector.wake();
    await busyFor(clock, 40);
    assert.equal(made.collectionsMs.length, 0);
    await clock.advance(200);
    assert.equal(made.collectionsMs.length, 1);
    await collector.close();
  });

  it('tells the servers once, and the metaserver again until it no longer refuses', async () => {
    const made = collecting({ garbage: 4500 });
    await made.clock.advance(SESSION_GRACE_MS);
    made.refuse = () => new FileError('EROFS', 'the disk takes nothing');
    made.collector.wake();
    await made.clock.advance(60_000);
    assert.equal(made.deleted, 2 * 4500, 'each server once');
    assert.ok(made.collectionsMs.length <= 13, `asked ${made.collectionsMs.length} times in a minute`);
    assert.equal(made.garbage.length, 4500);
    assert.ok(logs(made, 'garbage.refused'));
    // A pass without any server to tell changes nothing about it.
    const servers = made.reachable.splice(0);
    made.collector.wake();
    await made.clock.advance(5000);
    made.reachable.push(...servers);
    made.refuse = () => null;
    await made.clock.advance(30_000);
    assert.deepEqual([made.garbage.length, made.deleted], [0, 2 * 4500]);
    await made.collector.close();
  });

  it('asks the metaserver alone again when its answer was lost', async () => {
    const made = collecting({ garbage: 10 });
    await made.clock.advance(SESSION_GRACE_MS);
    made.refuse = () => new ServiceError('DEADLINE', 'no answer');
    made.collector.wake();
    await made.clock.advance(1000);
    made.refuse = () => null;
    // Again after a second, in a pause.
    await made.clock.advance(1100);
    assert.deepEqual([made.garbage.length, made.deleted], [0, 2 * 10]);
    await made.collector.close();
  });

  it('purges files that nobody holds, however many are held', async () => {
    const made = collecting({ orphans: Array.from({ length: 2500 }, (_, at) => at + 1) });
    for (let inode = 1; inode <= 2400; inode++) made.held.hold(inode);
    await made.clock.advance(SESSION_GRACE_MS);
    made.collector.wake();
    await made.clock.advance(1000);
    assert.equal(made.orphans.length, 2400);
    await made.collector.close();
  });

  for (const refusal of [new FileError('EIO', 'a bad page'), new ServiceError('DEADLINE', 'no answer')]) {
    it(`collects although a file can't be purged (${refusal.code}), and purges it later`, async () => {
      const made = collecting({ garbage: 10, orphans: [7, 8] });
      await made.clock.advance(SESSION_GRACE_MS);
      made.refuse = (name, inode) => (name === 'purge' && inode === 7 ? refusal : null);
      made.collector.wake();
      await made.clock.advance(1000);
      assert.equal(made.garbage.length, 0);
      // A metaserver that does not answer is not asked for the next one.
      assert.deepEqual(made.orphans, refusal instanceof FileError ? [7] : [7, 8]);
      assert.ok(logs(made, 'garbage.orphan_kept'));
      made.refuse = () => null;
      // Again after five seconds, in a pause.
      await made.clock.advance(5100);
      assert.deepEqual(made.orphans, []);
      await made.collector.close();
    });
  }
});

describe('what a mediator’s files leave', () => {
  it('is not collected while they are read, which asks the metaserver nothing', async () => {
    const { cluster, mediator } = await openCluster();
    const { clock } = cluster.runtime;
    const inode = await makeFile(mediator, 'a');
    for (const words of ['before', 'after']) await write(mediator, inode, 0, words);
    const endMs = clock.monotonicMs() + 3000;
    while (clock.monotonicMs() < endMs) {
      await read(mediator, inode);
      await clock.sleep(20);
    }
    for (const replica of cluster.replicas) assert.equal((await replica.versions()).length, 2);
    await untilEachHolds(cluster.replicas, 1);
  });
});
