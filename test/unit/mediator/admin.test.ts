// What an administrator sees of a mediator and asks of it.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { FakeCluster, type FakeClusterOptions, makeFile, writeText } from '../../support/fake-cluster.js';

let cluster: FakeCluster | undefined;

afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
});

async function open(options: FakeClusterOptions = {}): Promise<{ cluster: FakeCluster; mediator: Mediator }> {
  cluster = await FakeCluster.open(options);
  return { cluster, mediator: await cluster.mediator() };
}

describe('the block counts of status', () => {
  it('are those of now', async () => {
    const { mediator } = await open();
    for (let number = 1; number <= 5; number++) {
      await writeText(mediator, await makeFile(mediator, `f${number}`), 'x');
      const { dataservers } = await mediator.admin.status({});
      assert.deepEqual(
        dataservers.map(({ blocks }) => blocks),
        [number, number, number, number, number],
      );
    }
  });

  it('are the last known ones of a server that hangs, and nobody waits long for it', async () => {
    const { cluster, mediator } = await open({ deadlineMs: 3000 });
    await writeText(mediator, await makeFile(mediator, 'f'), 'x');
    await mediator.admin.status({});
    cluster.replica(2).fault = 'hung';
    const startMs = performance.now();
    const { dataservers } = await mediator.admin.status({});
    assert.ok(performance.now() - startMs < 1500, `${performance.now() - startMs} ms`);
    assert.deepEqual(
      dataservers.map(({ blocks }) => blocks),
      [1, 1, 1, 1, 1],
    );
  });
});

describe('closing', () => {
  it('in order warns of no server that goes', async () => {
    const { cluster, mediator } = await open();
    await mediator.close();
    // What the end of the connections looks like.
    for (const replica of cluster.replicas) replica.crash();
    assert.deepEqual(
      cluster.events.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    );
  });
});
