// When garbage is looked for; what becomes of it is tested with the writes and removals that make it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Counters } from '../../../src/mediator/counters.js';
import type { ReplicaSet } from '../../../src/mediator/replicas/replica-set.js';
import { HeldFiles } from '../../../src/mediator/sessions/held-files.js';
import { GarbageCollector } from '../../../src/mediator/upkeep/garbage.js';
import { Orphans } from '../../../src/mediator/upkeep/orphans.js';
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import { SESSION_GRACE_MS } from '../../../src/protocol/services/sessions.js';
import { testRuntime } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('the garbage collector', () => {
  it('waits a second for more, and less when somebody finds no room', async () => {
    const clock = new ManualClock();
    const passes: number[] = [];
    const query = async () => {
      passes.push(clock.monotonicMs() - SESSION_GRACE_MS);
      return { inodes: [], entries: [] };
    };
    const metadata = { query } as unknown as MetadataService;
    const replicas = { reachable: () => [], replicas: [], onChange() {} } as unknown as ReplicaSet;
    const held = new HeldFiles({ released: async () => {}, sparingEnded() {} });
    const orphans = new Orphans({ metadata, held, clock, purged() {} });
    const runtime = { ...testRuntime([]), clock };
    const collector = new GarbageCollector({ metadata, replicas, orphans, counters: new Counters(), runtime });
    await clock.advance(SESSION_GRACE_MS);
    collector.wake();
    await clock.advance(999);
    assert.deepEqual(passes, []);
    await clock.advance(1);
    collector.wake();
    collector.hurry();
    collector.hurry();
    await clock.advance(1000);
    assert.deepEqual(passes, [1000, 1100]);
    await collector.close();
  });

  /** A store with one piece of garbage, whose metaserver refuses as told. */
  async function refusing(refusals: Partial<Record<string, Error>>, each: (second: number) => void = () => {}) {
    const clock = new ManualClock();
    const deleted: number[] = [];
    const collected: number[] = [];
    const metadata = {
      query: async ({ name, request }: { name: string; request: { after: number } }) => {
        if (refusals[name] !== undefined) throw refusals[name];
        return { inodes: [7], entries: request.after === 0 ? [{ sequence: 1, inode: 7, index: 0, version: 5 }] : [] };
      },
      execute: async ({ name, request }: { name: string; request: { sequences: number[] } }) => {
        if (refusals[name] !== undefined) throw refusals[name];
        if (name === 'collected') collected.push(...request.sequences);
        return { done: true };
      },
    } as unknown as MetadataService;
    const replica = {
      name: 'data1',
      reachable: true,
      call: (call: () => Promise<object>) => call(),
      blocks: {
        delete: async ({ items }: { items: { version: number }[] }) => {
          deleted.push(...items.map(({ version }) => version));
          return {};
        },
      },
    };
    const replicas = { reachable: () => [replica], replicas: [replica], onChange() {} } as unknown as ReplicaSet;
    const runtime = { ...testRuntime([]), clock };
    const held = new HeldFiles({ released: async () => {}, sparingEnded() {} });
    const orphans = new Orphans({ metadata, held, clock, purged: () => {} });
    const collector = new GarbageCollector({ metadata, replicas, orphans, counters: new Counters(), runtime });
    await clock.advance(SESSION_GRACE_MS);
    collector.wake();
    for (let second = 0; second < 60; second++) {
      each(second);
      await clock.advance(1000);
    }
    await collector.close();
    return { deleted, collected };
  }

  it('tells the servers once, however often the metaserver refuses to forget', async () => {
    const { deleted } = await refusing({ collected: new FileError('ENOSPC', 'full') });
    assert.deepEqual(deleted, [5]);
  });

  it('has the metaserver forget once it does not refuse any more', async () => {
    const refusals: Partial<Record<string, Error>> = { collected: new FileError('EIO', 'the disk fails') };
    const { collected } = await refusing(refusals, (second) => {
      if (second === 5) delete refusals.collected;
    });
    assert.deepEqual(collected, [1]);
  });

  it('tells them again when nobody knows what the metaserver has kept', async () => {
    const { deleted } = await refusing({ collected: new ServiceError('UNREACHABLE', 'gone') });
    assert.ok(deleted.length > 1);
  });

  it('collects although files without a name can not be purged', async () => {
    const { collected } = await refusing({ purge: new FileError('EROFS', 'read-only') });
    assert.deepEqual(collected, [1]);
  });
});
