// A server that leads, does not, and leads again: nobody is answered from an earlier reign, or before he has seen the new one.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Leadership, Storage } from '../../../src/metaserver/engine/storage.js';
import { NamespaceHost } from '../../../src/metaserver/metaserver.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import { codeOf, makeRequest, ROOT, TestRuntime } from './harness.js';

const PEER = { peer: {} };

class Reigns {
  readonly runtime = new TestRuntime();
  readonly host = new NamespaceHost({ directory: '' }, this.runtime);
  isServing = true;
  isCertain = true;
  confirmed = 0;
  /** What it waits for to be certain. */
  confirmation: Promise<void> = Promise.resolve();
  #changed: () => void = () => {};

  static async begin(): Promise<Reigns> {
    const reigns = new Reigns();
    const base = await memoryEngine(new MemoryStore())('', reigns.runtime);
    const leadership: Leadership = {
      get isServing() {
        return reigns.isServing;
      },
      get isCertain() {
        return reigns.isCertain;
      },
      confirm: () => {
        reigns.confirmed++;
        return reigns.isCertain ? Promise.resolve() : reigns.confirmation;
      },
      notLeader: () => new ServiceError('NOT_LEADER', 'another one leads'),
      onChange: (listener) => {
        reigns.#changed = listener;
      },
      handOver: async () => {},
    };
    const storage: Storage = Object.assign(base, { leadership });
    await reigns.host.begin(storage);
    return reigns;
  }

  async becomes(isServing: boolean): Promise<void> {
    this.isServing = isServing;
    this.#changed();
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  make(name: string, durable = false) {
    const request = makeRequest(ROOT, name);
    return this.host.metadata.execute({ name: 'make', timeNs: 1n, request, durable }, PEER);
  }

  /** A call that waits until `confirm`; those that come now need not wait, by an answer to a question from before. */
  waiting(name: string): { order: string[]; confirm: () => void } {
    const order: string[] = [];
    let confirm = () => {};
    this.confirmation = new Promise((resolve) => (confirm = resolve));
    this.isCertain = false;
    this.make(name).then(
      () => order.push(name),
      (error: Error) => order.push(error.message),
    );
    this.isCertain = true;
    return { order, confirm };
  }

  statistics(request: { identifies?: boolean } = {}) {
    return this.host.metadata.query({ name: 'statistics', request }, PEER);
  }

  async names(): Promise<string[]> {
    const request = { inode: ROOT, cookie: 0, limit: 100, attributes: false };
    return (await this.host.metadata.query({ name: 'readdir', request }, PEER)).entries.map(({ name }) => name);
  }
}

describe('a server that leads again', () => {
  it('has another process and history for mediators, and lacks what was answered and not stored', async () => {
    const reigns = await Reigns.begin();
    const first = await reigns.statistics({ identifies: true });
    await reigns.make('stored', true);
    await reigns.make('answered');
    await reigns.becomes(false);
    assert.equal(await codeOf(reigns.names()), 'NOT_LEADER');
    assert.equal(await codeOf(reigns.make('no')), 'NOT_LEADER');
    await reigns.becomes(true);
    const second = await reigns.statistics({ identifies: true });
    assert.notEqual(second.start, first.start);
    assert.notEqual(second.history, first.history);
    assert.deepEqual(await reigns.names(), ['stored']);
  });

  it('answers nobody who has not looked which process it is, whatever else he has asked', async () => {
    const reigns = await Reigns.begin();
    await reigns.make('a', true);
    await reigns.becomes(false);
    await reigns.becomes(true);
    assert.equal(await codeOf(reigns.names()), 'NOT_LEADER');
    // As df asks for the number of files.
    assert.equal(await codeOf(reigns.statistics()), 'NOT_LEADER');
    assert.equal(await codeOf(reigns.host.metadata.sync({}, PEER)), 'NOT_LEADER');
    await reigns.statistics({ identifies: true });
    assert.deepEqual(await reigns.names(), ['a']);
    // Whoever is in the same process, as XML-RPC, builds upon nothing.
    assert.equal((await reigns.host.metadata.query({ name: 'statistics', request: {} })).inodes, 2);
  });

  it('asks the others first when it is not certain that it leads', async () => {
    const reigns = await Reigns.begin();
    await reigns.make('a', true);
    assert.equal(reigns.confirmed, 0);
    reigns.isCertain = false;
    assert.deepEqual(await reigns.names(), ['a']);
    assert.equal(reigns.confirmed, 1);
  });

  it('keeps the order of calls, when one waits for the others and the next does not have to', async () => {
    const reigns = await Reigns.begin();
    const { order, confirm } = reigns.waiting('first');
    const second = reigns.make('second').then(() => order.push('second'));
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    confirm();
    await second;
    assert.deepEqual(order, ['first', 'second']);
    const { confirmed } = reigns;
    await reigns.make('third');
    assert.equal(reigns.confirmed, confirmed, 'nobody waits any more');
  });

  it('keeps the order of calls, when the next comes at the very moment at which it is certain', async () => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const reigns = await Reigns.begin();
      const { order, confirm } = reigns.waiting('first');
      confirm();
      for (let tick = 0; tick < ticks; tick++) await null;
      await reigns.make('second');
      order.push('second');
      assert.deepEqual(order, ['first', 'second'], `${ticks} turns later`);
    }
  });

  it('writes nothing of an earlier reign, however late its turn comes', async () => {
    const reigns = await Reigns.begin();
    const late = codeOf(reigns.make('late', true));
    await reigns.becomes(false);
    await late;
    await reigns.becomes(true);
    await reigns.statistics({ identifies: true });
    await reigns.host.metadata.sync({}, PEER);
    const names = await reigns.names();
    assert.ok(names.length === 0 || names.join() === 'late', 'all of it, written before, or nothing');
  });
});
