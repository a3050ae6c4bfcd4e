// A rebuild over blocks and repairs that a test answers for.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Counters } from '../../../src/mediator/counters.js';
import type { Replica } from '../../../src/mediator/replicas/replica.js';
import type { ReplicaSet } from '../../../src/mediator/replicas/replica-set.js';
import { Recovery } from '../../../src/mediator/upkeep/recovery.js';
import type { Repairer } from '../../../src/mediator/upkeep/repair.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import { testRuntime } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLog } from '../../support/recording-log.js';

const BLOCKS = 200;
/** How long the repairer leaves a replica alone that has refused. */
const UNWILLING_MS = 4000;

/** A blank server that refuses each of these blocks once. */
async function rebuilt(refused: number[]) {
  const clock = new ManualClock();
  const log = new RecordingLog();
  const held = new Set<number>();
  let unwillingUntilMs = 0;
  const asked: number[] = [];
  const metadata = {
    query: async ({
      name,
      request,
    }: {
      name: string;
      request: { after?: { index: number }; first: number; limit: number };
    }) => {
      if (name === 'statistics') return { blocks: BLOCKS };
      if (name === 'missed') return { blocks: [] };
      if (name === 'blocks') return { blocks: [{ index: request.first, version: 9 }] };
      const from = (request.after?.index ?? -1) + 1;
      const count = Math.min(request.limit, BLOCKS - from);
      const blocks = Array.from({ length: count }, (_, n) => ({ inode: 1, index: from + n, version: 9, hash: 1n }));
      return { blocks, done: from + count >= BLOCKS };
    },
  } as unknown as MetadataService;
  const replica = {
    name: 'data1',
    reachable: true,
    state: 'blank',
    rebuild: null,
    repairs: 0,
    call: (call: () => Promise<object>) => call(),
    blocks: {
      get: async ({ items }: { items: { index: number }[] }) => {
        asked.push(...items.map(({ index }) => index));
        return {
          results: items.map(({ index }) => (held.has(index) ? { state: 'present', hash: 1n } : { state: 'absent' })),
        };
      },
    },
  };
  let isDone = false;
  let wake = () => {};
  const replicas = {
    replicas: [replica],
    onChange: (listener: (replica: object) => void) => {
      wake = () => listener(replica);
    },
    markComplete: async () => {
      isDone = true;
      replica.state = 'up';
    },
  } as unknown as ReplicaSet;
  const repairer = {
    repair: async ({ index }: { index: number }) => {
      const at = refused.indexOf(index);
      if (at >= 0) {
        refused.splice(at, 1);
        unwillingUntilMs = clock.monotonicMs() + UNWILLING_MS;
        return { state: 'repaired', holders: [], repaired: [] };
      }
      held.add(index);
      return { state: 'repaired', holders: [replica as unknown as Replica], repaired: [] };
    },
    isRefusing: () => unwillingUntilMs > clock.monotonicMs(),
  } as unknown as Repairer;
  const recovery = new Recovery({
    metadata,
    replicas,
    repairer,
    counters: new Counters(() => ({ repairs: 0, dissents: 0 })),
    runtime: { ...testRuntime([]), clock, log },
  });
  wake();
  for (let second = 0; second < 60 && !isDone; second++) await clock.advance(1000);
  await recovery.close();
  return { isDone, asked, held, log };
}

describe('a rebuild', () => {
  it('that a server interrupts by refusing a block goes on where it was', async () => {
    const { isDone, asked, log } = await rebuilt([70, 150]);
    assert.ok(isDone);
    assert.equal(log.named('rebuild.started').length, 1);
    assert.equal(asked.filter((index) => index < 64).length, 64, 'what it had by then is not looked at again');
  });

  it('gives every block to a server that refuses one for good', async () => {
    const { isDone, held } = await rebuilt(Array.from({ length: 100 }, () => 70));
    assert.equal(isDone, false);
    assert.equal(held.size, BLOCKS - 1);
  });
});
