// Results that the metaserver keeps of requests: when the mediator has them forgotten.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import { KeptResults } from '../../../src/mediator/upkeep/kept-results.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import { eventually, testRuntime } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';
import { makeRequest, ROOT, TestMetaserver } from '../metaserver/harness.js';

const DAY_MS = 24 * 3600 * 1000;
let meta: TestMetaserver;
let kept: KeptResults;

async function open(): Promise<ManualClock> {
  const clock = new ManualClock();
  meta = await TestMetaserver.open(memoryEngine(new MemoryStore()));
  kept = new KeptResults('own', meta.service as MetadataService, { ...testRuntime([]), clock });
  return clock;
}

async function ask(client: string, sequence: number): Promise<void> {
  const request = makeRequest(ROOT, `${client}${sequence}`);
  await meta.service.execute({ name: 'make', timeNs: 1n, request, durable: false, id: [client, 0, sequence] });
}

async function clients(): Promise<string[]> {
  return (await meta.ask('clients', { limit: 10 })).clients.map(({ client }) => client);
}

describe('kept results', () => {
  afterEach(async () => {
    await kept.close();
    await meta.close();
  });

  it('go with a client that ends, and stay with all others', async () => {
    await open();
    await ask('one', 1);
    await ask('two', 1);
    kept.ended('one');
    await eventually(async () => (await clients()).join() === 'two');
  });

  it('of a client that is silent go after a day of its silence, and not before', async () => {
    const clock = await open();
    await ask('idle', 1);
    await ask('busy', 1);
    kept.start();
    await clock.advance(DAY_MS / 2);
    await ask('busy', 2);
    await clock.advance(DAY_MS / 2 - 1);
    assert.deepEqual(await clients(), ['busy', 'idle']);
    await ask('late', 1);
    await clock.advance(2);
    assert.deepEqual(await clients(), ['busy', 'late']);
    await clock.advance(DAY_MS);
    assert.deepEqual(await clients(), []);
  });

  it('of the mediator itself stay, however long it is silent', async () => {
    const clock = await open();
    await ask('own', 1);
    await ask('idle', 1);
    kept.start();
    await clock.advance(DAY_MS + 1);
    assert.deepEqual(await clients(), ['own']);
  });

  it('stay when the wall clock jumps', async () => {
    const clock = await open();
    await ask('idle', 1);
    kept.start();
    await clock.advance(0);
    clock.nowNs = () => 400n * 24n * 3600n * 1_000_000_000n;
    await ask('other', 1);
    kept.ended('other');
    await clock.advance(DAY_MS / 2);
    assert.deepEqual(await clients(), ['idle']);
  });
});
