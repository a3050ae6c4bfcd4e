// Which mediator is the active one: it is changed by compare-and-set, nobody takes over from one that is heard of, and one that
// was replaced is refused everything.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { SILENCE_MS } from '../../../src/mediator/epochs/tenure.js';
import { RecordingLog } from '../../support/recording-log.js';
import { codeOf, memoryPlaces, ROOT, TestMetaserver, TestRuntime } from './harness.js';

describe('the active mediator', () => {
  let server: TestMetaserver;
  let log: RecordingLog;
  const place = memoryPlaces.make();

  beforeEach(async () => {
    log = new RecordingLog();
    server = await TestMetaserver.open(memoryPlaces.make().factory, new TestRuntime(log));
  });

  afterEach(() => server.close());

  const takeOver = (name: string, seen: number, afterSilentMs = SILENCE_MS, on = server) =>
    on.do('takeOver', { name, process: `process-of-${name}`, seen, afterSilentMs }, true);

  /** A connection of a mediator of that epoch. */
  async function connect(epoch: number): Promise<{ peer: object }> {
    const options = { peer: {} };
    await server.service.query({ name: 'statistics', request: { epoch } }, options);
    return options;
  }

  const ask = (options: { peer: object }) =>
    server.service.query({ name: 'attributes', request: { inode: ROOT } }, options);

  it('is the first that asks; whoever has seen an older epoch is told the one that counts', async () => {
    assert.deepEqual(await server.ask('mediator', {}), { epoch: 0, name: '', process: '', silentMs: 0 });
    assert.deepEqual(await takeOver('a', 0), { taken: true, epoch: 1 });
    assert.deepEqual(await takeOver('b', 0, 0), { taken: false, epoch: 1 });
    const { epoch, name } = await server.ask('mediator', {});
    assert.deepEqual({ epoch, name }, { epoch: 1, name: 'a' });
  });

  it('is told again that it is, when it has missed the answer', async () => {
    await takeOver('a', 0);
    assert.deepEqual(await takeOver('a', 0), { taken: true, epoch: 1 });
  });

  it('stays as long as anything is heard of it', async () => {
    await takeOver('a', 0);
    const options = await connect(1);
    for (let time = 0; time < 3; time++) {
      server.runtime.advance(SILENCE_MS - 1);
      assert.deepEqual(await takeOver('b', 1), { taken: false, epoch: 1 });
      await ask(options);
      assert.equal((await server.ask('mediator', {})).silentMs, 0);
    }
    server.runtime.advance(SILENCE_MS);
    assert.deepEqual(await takeOver('b', 1), { taken: true, epoch: 2 });
  });

  it('need not be waited for when it has resigned', async () => {
    await takeOver('a', 0);
    await server.do('resign', { epoch: 1 });
    assert.deepEqual(await takeOver('b', 1), { taken: true, epoch: 2 });
    // That of an earlier one comes too late to matter.
    await server.do('resign', { epoch: 1 });
    assert.equal((await server.ask('mediator', {})).name, 'b');
  });

  it('is refused everything once another one has taken over, by a line in the log', async () => {
    await takeOver('a', 0);
    const old = await connect(1);
    await takeOver('b', 1, 0);
    const make = { parent: ROOT, name: 'late', kind: 'file', mode: 0o600, caller: { uid: 0, gid: 0 } } as const;
    const request = { ...make, device: 0, target: '', blockSizeBytes: 4096, exclusive: true };
    const message = { name: 'make', timeNs: 1n, request, durable: false } as const;
    assert.equal(await codeOf(server.service.execute(message, old)), 'FENCED');
    assert.equal(await codeOf(ask(old)), 'FENCED');
    assert.equal(await codeOf(server.service.sync({}, old)), 'FENCED');
    assert.equal(await codeOf(connect(1)), 'FENCED');
    assert.deepEqual(await server.names(ROOT), []);
    assert.deepEqual(log.named('mediator.fenced')[0], { epoch: 1, newest: 2 });
    await ask(await connect(2));
  });

  it('is the only one that is answered: one without an epoch can but ask for one', async () => {
    const nobody = { peer: {} };
    await ask(nobody);
    await takeOver('a', 0);
    assert.equal(await codeOf(ask(nobody)), 'FENCED');
    const { epoch } = await server.service.query({ name: 'mediator', request: {} }, nobody);
    const request = { name: 'b', process: 'process-of-b', seen: epoch, afterSilentMs: 0 };
    const message = { name: 'takeOver', timeNs: 1n, request, durable: true } as const;
    assert.deepEqual(await server.service.execute(message, nobody), { taken: true, epoch: 2 });
  });

  it('is known after a crash, from when on its silence counts', async () => {
    const first = await TestMetaserver.open(place.factory);
    await takeOver('a', 0, 0, first);
    await place.crash();
    const next = await TestMetaserver.open(place.factory);
    const known = { epoch: 1, name: 'a', process: 'process-of-a' };
    assert.deepEqual(await next.ask('mediator', {}), { ...known, silentMs: 0 });
    assert.deepEqual(await takeOver('b', 1, SILENCE_MS, next), { taken: false, epoch: 1 });
    next.runtime.advance(SILENCE_MS);
    assert.deepEqual(await takeOver('b', 1, SILENCE_MS, next), { taken: true, epoch: 2 });
    await next.close();
  });
});
