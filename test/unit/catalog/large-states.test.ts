// States of many values go in parts: no message and no write is larger than a part, whatever there is in all.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Packr } from 'msgpackr';
import { Replica as LazyReplica } from '../../../src/catalog/lazy/replica.js';
import { type LazyService, lazyService } from '../../../src/catalog/lazy/service.js';
import { Spreading } from '../../../src/catalog/lazy/spreading.js';
import { PART_BYTES } from '../../../src/catalog/map/in-parts.js';
import { AppliedMap } from '../../../src/catalog/ordered/applied-map.js';
import { DiskKeeper } from '../../../src/catalog/ordered/keeper.js';
import type { PeerGroup } from '../../../src/catalog/peers/peer-group.js';
import { Gossip } from '../../../src/catalog/quorum/gossip.js';
import { Replica } from '../../../src/catalog/quorum/replica.js';
import { type QuorumService, quorumService } from '../../../src/catalog/quorum/service.js';
import { type KeyedEntry, versioned } from '../../../src/catalog/quorum/versioned.js';
import { DiskJournal } from '../../../src/catalog/storage/journal.js';
import { StateFile } from '../../../src/catalog/storage/state-file.js';
import type { Mark } from '../../../src/replication/core/core.js';
import type { Peer } from '../../../src/replication/link/peers.js';
import { silentLog } from '../../../src/runtime/log.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { SeededRandom } from '../../simulation/world/seeded-random.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const MIB = 1024 * 1024;
const KEYS = 3000;
/** The longest value, and what else a message has. */
const MOST_MESSAGE_BYTES = 2 * MIB + 64 * 1024;
const MARK: Mark = { index: 0, term: 0, members: { voters: ['a'], learners: [] } };

function values(): [path: string, bytes: Uint8Array][] {
  const many = Array.from({ length: KEYS }, (_, at) => [`/k${at}`, Buffer.alloc(1024, at)] as [string, Uint8Array]);
  return [...many, ['/long', Buffer.alloc(MIB, 'l')]];
}

function runtimeOn(disk: MemoryDisk): Runtime {
  const random = new SeededRandom(1);
  return { clock: new VirtualClock(), random, log: silentLog, disk: disk.mount(), network: undefined as never };
}

async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of list) found.push(each);
  return found;
}

/** Another server at hand; the sizes of requests and answers are noted. */
function groupOf<Service extends object>(service: Service, sizes: number[]): PeerGroup<Service> {
  const peer = { name: 'other' } as Peer;
  const packr = new Packr({ useRecords: false });
  const note = <T>(message: T): T => {
    sizes.push(packr.pack(message).length);
    return message;
  };
  const watched = new Proxy(service, {
    get: (target, member) => async (request: object) => {
      const method = Reflect.get(target, member) as (request: object) => Promise<object>;
      return note(await method.call(target, note(request)));
    },
  });
  const group = {
    living: [peer],
    ask: (_peer: Peer, _name: string, call: (service: Service, options: { deadlineMs: number }) => Promise<unknown>) =>
      call(watched, { deadlineMs: 1000 }),
  };
  return group as unknown as PeerGroup<Service>;
}

describe('a file of a state', () => {
  const PARTS = [Buffer.from('one'), Buffer.alloc(3000, 2), Buffer.from('three')];

  it('has all its parts again, or is missing', async () => {
    const file = new StateFile('/store/state', new MemoryDisk().mount());
    assert.deepEqual(await all(file.read()), []);
    await file.replace(PARTS);
    assert.deepEqual(await all(file.read()), PARTS);
    await file.replace([Buffer.from('short')]);
    assert.deepEqual(await all(file.read()), [Buffer.from('short')]);
  });

  it('says what is damaged, wherever it is cut or changed', async () => {
    const disk = new MemoryDisk();
    const mounted = disk.mount();
    const file = new StateFile('/store/state', mounted);
    const bytes = await file.replace(PARTS);
    for (let at = 0; at < bytes; at += 7) {
      await file.replace(PARTS);
      const open = await mounted.open('/store/state', 'existing');
      if (at % 2 === 0) await open.truncate(at);
      else await open.write([Buffer.from([0x5a])], at);
      await assert.rejects(all(file.read()), { code: 'FAILED', message: /^\/store\/state is damaged: .*at byte \d+/ });
    }
  });

  it('is the old one or the new one, whenever the power goes', async () => {
    let lost = 0;
    for (let changes = 0; ; changes++) {
      const disk = new MemoryDisk();
      await new StateFile('/store/state', disk.mount()).replace([Buffer.from('old')]);
      disk.changesLeft = changes;
      const isDone = await new StateFile('/store/state', disk.mount()).replace(PARTS).then(
        () => true,
        () => false,
      );
      disk.changesLeft = Number.POSITIVE_INFINITY;
      const found = await all(new StateFile('/store/state', disk.mount()).read());
      const isOld = found.length === 1;
      if (!isOld) assert.deepEqual(found, PARTS);
      if (isDone) break;
      lost++;
    }
    assert(lost > 5, `${lost} moments were tried`);
  });
});

describe('a large map', () => {
  it('is kept, read again and sent in parts', async () => {
    const disk = new MemoryDisk();
    const keeper = new DiskKeeper('/store', runtimeOn(disk));
    const applied = await AppliedMap.open(MARK, keeper);
    applied.map.add({ values: values().map(([path, bytes]) => [path, bytes, 3]) });
    applied.map.apply({ kind: 'server', token: 't', name: 's9', address: 'h:1' });
    applied.apply([{ index: 1, term: 1, content: { kind: 'nothing' } }]);
    await applied.keep();
    const again = await AppliedMap.open(MARK, keeper);
    assert.deepEqual([...again.map.parts()], [...applied.map.parts()]);
    assert.equal(again.applied.index, 1);

    const { mark, chunks } = applied.snapshot();
    // What is changed while it is sent is not in it.
    applied.map.add({ values: [['/k1', Buffer.from('later'), 4]] });
    const sizes: number[] = [];
    const watched = (async function* () {
      for await (const chunk of chunks) {
        sizes.push(chunk.length);
        yield chunk;
      }
    })();
    const other = await AppliedMap.open(MARK, new DiskKeeper('/other', runtimeOn(disk)));
    await (await other.receive(mark, watched)).install();
    assert.deepEqual([...other.map.parts()], [...again.map.parts()]);
    assert(sizes.length > (KEYS * 1024) / PART_BYTES && Math.max(...sizes) < MIB + PART_BYTES, String(sizes));
  });

  it('by quorum: gossip brings a blank server all of it in bounded messages, and is one message when nothing differs', async () => {
    const [here, there] = [new Replica(), new Replica()];
    for (const [key, bytes] of values()) here.absorb(key, versioned(5, bytes));
    here.absorb('/newer-there', versioned(1, Buffer.from('old')));
    there.absorb('/newer-there', versioned(2, null));
    const absorbInto = (replica: Replica) => async (entries: readonly KeyedEntry[]) => {
      for (const { key, entry } of entries) replica.absorb(key, entry);
    };
    for (const [asking, asked] of [
      [there, here],
      [here, new Replica()],
      [here, there],
    ] as const) {
      const sizes: number[] = [];
      const service = quorumService({
        ...{ replica: asked, absorb: absorbInto(asked), refusal: () => null, isBlank: () => false },
      });
      const group = groupOf<QuorumService>(service, sizes);
      const isEqual = asking.buckets.differing(asked.buckets.digests()).length === 0;
      const gossip = new Gossip({ name: 'here', group, replica: asking, absorb: absorbInto(asking) });
      assert.equal(await gossip.round(), 'other');
      assert.deepEqual(asked.buckets.digests(), asking.buckets.digests());
      assert.deepEqual(Buffer.from(asked.tree.get('/k77')?.bytes ?? []), Buffer.alloc(1024, 77));
      assert.equal(asked.view.get('/newer-there'), undefined);
      assert(Math.max(...sizes) <= MOST_MESSAGE_BYTES, `the longest message has ${Math.max(...sizes)} bytes`);
      if (isEqual) assert.equal(sizes.length, 2);
    }
  });

  it('by lazy: is pulled in bounded messages, as it was at the first, and is seen at once when all of it is there', async () => {
    const [here, there] = [new LazyReplica(), new LazyReplica()];
    const updates = values().map(([key, bytes], at) => ({
      key,
      update: { bytes, version: 1, isRemoved: false, origin: 'b/1', timestamp: { 'b/1': at + 1 } },
    }));
    there.absorb({ updates, seen: { 'b/1': updates.length } });
    const sizes: number[] = [];
    const served = lazyService({ replica: there, absorb: async () => {}, refusal: () => null });
    const service: LazyService = {
      ...served,
      pull: async (request) => {
        const part = await served.pull(request);
        assert.equal(here.tree.size, 0, 'nothing is seen before all is there');
        const timestamp = { 'b/1': updates.length + sizes.length };
        const update = { bytes: Buffer.from('later'), version: 2, isRemoved: false, origin: 'b/1', timestamp };
        there.absorb({ updates: [{ key: '/k0', update }], seen: timestamp });
        return part;
      },
    };
    const spreading = new Spreading({
      group: groupOf<LazyService>(service, sizes),
      replica: here,
      absorb: async (batch) => here.absorb(batch),
      isActive: () => true,
      runtime: runtimeOn(new MemoryDisk()),
    });
    assert(await spreading.fetch({ 'b/1': updates.length }));
    assert.equal(here.tree.size, updates.length);
    assert.deepEqual(here.seen, { 'b/1': updates.length });
    assert.deepEqual(Buffer.from(here.tree.get('/k0')?.bytes ?? []), Buffer.alloc(1024, 0));
    assert(Math.max(...sizes) <= MOST_MESSAGE_BYTES, `the longest message has ${Math.max(...sizes)} bytes`);
  });

  it('by lazy: what somebody lacks is found however often it was replaced', () => {
    const random = new SeededRandom(7);
    const below = (bound: number) => Math.floor(random.fraction() * bound);
    const replica = new LazyReplica();
    const numbers: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (let turn = 0; turn < 3000; turn++) {
      const origin = ['a', 'b', 'c'][below(3)] ?? 'a';
      numbers[origin] = (numbers[origin] ?? 0) + 1;
      const timestamp = { ...numbers };
      const update = { bytes: Buffer.of(turn % 256), version: turn, isRemoved: false, origin, timestamp };
      replica.absorb({ updates: [{ key: `/k${below(20)}`, update }], seen: timestamp });
      if (turn % 50 !== 0) continue;
      const seen = { a: below(numbers.a ?? 0), b: below((numbers.b ?? 0) + 1) };
      const lacked = [...replica.tree.entries()]
        .filter(
          ([, { origin: from, timestamp: of }]) => (of[from] ?? 0) > ((seen as Record<string, number>)[from] ?? 0),
        )
        .map(([key]) => key);
      const found = replica.since(seen).updates.map(({ key }) => key);
      assert.deepEqual(found.sort(), lacked.sort());
    }
  });
});

describe('a journal', () => {
  it('keeps the state in parts while records go on, and has all of them after a restart', async () => {
    const disk = new MemoryDisk();
    const state = new Map<string, Uint8Array>();
    const packr = new Packr({ useRecords: false });
    const absorb = (bytes: Uint8Array) => {
      for (const [key, value] of packr.unpack(bytes) as [string, Uint8Array][]) state.set(key, Uint8Array.from(value));
    };
    const parts = function* (entries: [string, Uint8Array][]) {
      for (const entry of entries) yield packr.pack([entry]);
    };
    const open = async () => {
      const journal = new DiskJournal('/store', () => parts([...state]), runtimeOn(disk));
      await journal.replay(absorb, absorb);
      return journal;
    };
    let journal = await open();
    for (let round = 0; round < 2; round++) {
      for (let turn = 0; turn < 24; turn++) {
        const entry: [string, Uint8Array] = [`${turn}`, Buffer.alloc(10_000, turn + round)];
        const record = packr.pack([entry]);
        await journal.append(record);
        absorb(record);
        if (turn === 12) void journal.keep();
      }
      const before = new Map(state);
      await journal.close();
      state.clear();
      journal = await open();
      assert.deepEqual(state, before);
    }
    assert((await disk.mount().list('/store/log')).length < 12, 'what the state has is not kept in the log');
    await journal.close();
  });
});
