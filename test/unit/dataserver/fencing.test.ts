// A mediator that was replaced can change and read nothing on a data server that has seen a later one, also after a restart.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Dataserver } from '../../../src/dataserver/dataserver.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { RecordingLog } from '../../support/recording-log.js';
import { content, key, openOn } from './harness.js';

const CLUSTER = 'cluster';
const FENCED = { code: 'FENCED' };

async function connect({ blocks }: Dataserver, epoch: number): Promise<{ peer: object }> {
  const options = { peer: {} };
  await blocks.status({ epoch, clusterId: CLUSTER }, options);
  return options;
}

const put = ({ blocks }: Dataserver, version: number, options?: { peer: object }) =>
  blocks.put({ items: [{ ...key(0, version), data: content(100, version) }], durable: true }, options);

describe('a data server and mediators of several epochs', () => {
  it('refuses everything of the earlier one, before it has any effect, by a line in the log', async () => {
    const log = new RecordingLog();
    const server = await openOn(new MemoryDisk(), { log });
    const old = await connect(server, 1);
    await put(server, 1, old);
    const next = await connect(server, 2);
    await assert.rejects(put(server, 2, old), FENCED);
    await assert.rejects(
      server.blocks.get({ items: [{ ...key(0), offset: 0, length: 100, data: true }] }, old),
      FENCED,
    );
    await assert.rejects(server.blocks.delete({ items: [key(0)] }, old), FENCED);
    await assert.rejects(server.blocks.list({ limit: 10 }, old), FENCED);
    await assert.rejects(server.blocks.flush({}, old), FENCED);
    await assert.rejects(server.blocks.adopt({ clusterId: 'another' }, old), FENCED);
    await assert.rejects(connect(server, 1), FENCED);
    const { entries } = await server.blocks.list({ limit: 10 }, next);
    assert.deepEqual(
      entries.map(({ version }) => version),
      [1],
    );
    assert.deepEqual(log.named('mediator.fenced')[0], { epoch: 1, newest: 2 });
    await put(server, 3, next);
    await server.close();
  });

  it('forgets nothing when its power is cut', async () => {
    const disk = new MemoryDisk();
    await connect(await openOn(disk), 7);
    disk.cutPower('all');
    const server = await openOn(disk);
    await assert.rejects(connect(server, 6), FENCED);
    await put(server, 1, await connect(server, 7));
    await server.close();
  });

  it('believes no epoch of another cluster: its own mediator is refused nothing', async () => {
    const server = await openOn(new MemoryDisk());
    await server.blocks.adopt({ clusterId: CLUSTER });
    const own = await connect(server, 3);
    const stranger = { peer: {} };
    assert.equal((await server.blocks.status({ epoch: 500, clusterId: 'another' }, stranger)).clusterId, CLUSTER);
    await assert.rejects(put(server, 1, stranger), FENCED);
    await put(server, 1, own);
    await connect(server, 3);
    await server.close();
  });

  it('answers mediators side by side in the same epoch', async () => {
    const server = await openOn(new MemoryDisk());
    await put(server, 1, await connect(server, 3));
    await put(server, 2, await connect(server, 3));
    assert.equal((await server.blocks.status({})).blocks, 2);
    await server.close();
  });

  it('answers those without an epoch only until one has had one; calls of its own process always', async () => {
    const server = await openOn(new MemoryDisk());
    const earlier = { peer: {} };
    await put(server, 1, earlier);
    await connect(server, 1);
    await assert.rejects(put(server, 2, earlier), FENCED);
    await put(server, 3);
    assert.equal((await server.blocks.status({}, earlier)).blocks, 2);
    await server.close();
  });
});
