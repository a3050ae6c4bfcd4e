// When garbage is looked for; what becomes of it is tested with the writes and removals that make it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Counters } from '../../../src/mediator/counters.js';
import type { ReplicaSet } from '../../../src/mediator/replicas/replica-set.js';
import { HeldFiles } from '../../../src/mediator/sessions/held-files.js';
import { GarbageCollector } from '../../../src/mediator/upkeep/garbage.js';
import { Orphans } from '../../../src/mediator/upkeep/orphans.js';
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
});
