// Commands that arrive more than once: each is carried out once, and its
// repetition is answered as the first was.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Engine } from '../../../src/metaserver/engine/engine.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import { CLUSTER_KEY, HISTORY_KEY, wholeTable } from '../../../src/namespace/state/keys.js';
import { FileError } from '../../../src/protocol/errors.js';
import type { Command, CommandName, Commands } from '../../../src/protocol/services/metadata.js';
import type { RequestId } from '../../../src/protocol/values/request-ids.js';
import { checkConsistency } from './consistency.js';
import {
  change,
  codeOf,
  dump,
  lmdbPlaces,
  makeRequest,
  memoryPlaces,
  type Place,
  ROOT,
  TestMetaserver,
  TestRuntime,
  withMetaserver,
  withPlace,
  withTables,
} from './harness.js';
import { RandomCommands } from './random-commands.js';

const DAY_NS = 24n * 3600n * 1_000_000_000n;

function send<K extends CommandName>(
  meta: TestMetaserver,
  id: RequestId,
  name: K,
  request: Commands[K]['request'],
  timeNs = 5n,
): Promise<Commands[K]['result']> {
  return meta.service.execute({ name, timeNs, request, durable: false, id });
}

/** Kept results as they stand in the store, after a close. */
async function keptResults(place: Place): Promise<number> {
  const { from, to } = wholeTable('results');
  return withTables(place, ({ view }) => view.scan(from, to, Number.POSITIVE_INFINITY).length);
}

describe('a command that arrives again', () => {
  /** Each on a tree with the file `a`, the empty folder `d` and the attribute user.x on `a`. */
  const table: { [K in CommandName]?: (a: number) => Commands[K]['request'] } = {
    make: () => makeRequest(ROOT, 'new'),
    makeUnnamed: () => ({ parent: ROOT, mode: 0o600, caller: { uid: 1, gid: 2 }, blockSizeBytes: 4096 }),
    link: (a) => ({ inode: a, parent: ROOT, name: 'other' }),
    unlink: (a) => ({ parent: ROOT, name: 'a', held: [a] }),
    rmdir: () => ({ parent: ROOT, name: 'd' }),
    rename: () => ({ parent: ROOT, name: 'a', newParent: ROOT, newName: 'b', mode: 'replace', held: [] }),
    setattr: (a) => ({ inode: a, changes: { mode: 0o600 }, caller: { uid: 0, gid: 0 } }),
    setxattr: (a) => ({ inode: a, name: 'user.y', value: Buffer.from('1'), mode: 'create' }),
    removexattr: (a) => ({ inode: a, name: 'user.x' }),
    commit: (a) => ({
      inode: a,
      changes: [],
      truncateTo: 0,
      minimumSizeBytes: 9,
      modifyTimeNs: 7n,
      missing: [],
    }),
  };

  for (const [name, request] of Object.entries(table) as [CommandName, (a: number) => object][]) {
    it(`is answered as before and changes nothing: ${name}`, async () => {
      await withPlace(memoryPlaces, async (place) => {
        const meta = await TestMetaserver.open(place.factory);
        const a = (await meta.make(ROOT, 'a')).inode;
        await meta.make(ROOT, 'd', 'directory');
        await meta.do('setxattr', { inode: a, name: 'user.x', value: Buffer.of(1), mode: 'set' });
        const body = request(a) as Commands[CommandName]['request'];
        const first = await send(meta, ['c', 0, 1], name, body);
        const state = JSON.stringify(await meta.ask('statistics', {})) + (await meta.names(ROOT)).join();
        const second = (await send(meta, ['c', 0, 1], name, body, 6n)) as { earlier?: number; isRepetition?: true };
        const { earlier, isRepetition, ...again } = second;
        assert.equal(earlier, name === 'commit' ? 0 : undefined);
        assert.equal(isRepetition, true);
        assert.deepEqual(again, first);
        assert.equal(JSON.stringify(await meta.ask('statistics', {})) + (await meta.names(ROOT)).join(), state);
        await meta.close();
        await withTables(place, checkConsistency);
      });
    });
  }

  it('is answered with attributes as they are now, and with ESTALE when what it made is gone', async () => {
    await withMetaserver(async (meta) => {
      const { attributes } = await send(meta, ['c', 0, 1], 'make', makeRequest(ROOT, 'a'));
      await meta.do('setattr', { inode: attributes.inode, changes: { mode: 0o777 }, caller: { uid: 0, gid: 0 } });
      const again = await send(meta, ['c', 0, 1], 'make', makeRequest(ROOT, 'a'));
      assert.equal(again.created, true);
      assert.equal(again.attributes.mode, 0o777);
      await meta.do('unlink', { parent: ROOT, name: 'a', held: [] });
      assert.equal(await codeOf(send(meta, ['c', 0, 1], 'make', makeRequest(ROOT, 'a'))), 'ESTALE');
      assert.deepEqual(await meta.names(ROOT), []);
    });
  });

  it('stays refused when it was refused, although it could be carried out by now', async () => {
    await withMetaserver(async (meta) => {
      const request = { parent: ROOT, name: 'a', held: [] };
      assert.equal(await codeOf(send(meta, ['c', 0, 1], 'unlink', request)), 'ENOENT');
      await meta.make(ROOT, 'a');
      assert.equal(await codeOf(send(meta, ['c', 0, 1], 'unlink', request)), 'ENOENT');
      assert.deepEqual(await meta.names(ROOT), ['a']);
      await send(meta, ['c', 0, 2], 'unlink', request);
      assert.deepEqual(await meta.names(ROOT), []);
    });
  });

  it('never comes when it was abandoned before', async () => {
    await withMetaserver(async (meta) => {
      const abandon = (sequence: number) => send(meta, ['c', 0, sequence], 'abandon', {});
      await send(meta, ['c', 0, 1], 'make', makeRequest(ROOT, 'a'));
      assert.deepEqual(await abandon(1), { isDone: true, isRepetition: true });
      for (let times = 0; times < 2; times++) assert.deepEqual(await abandon(2), { isDone: false });
      assert.equal(await codeOf(send(meta, ['c', 0, 2], 'make', makeRequest(ROOT, 'b'))), 'EIO');
      assert.deepEqual(await meta.names(ROOT), ['a']);
      assert.equal(await codeOf(abandon(1)), 'REFUSED');
    });
  });

  it('is refused when a later one has used its slot', async () => {
    await withMetaserver(async (meta) => {
      await send(meta, ['c', 0, 3], 'make', makeRequest(ROOT, 'a'));
      assert.equal(await codeOf(send(meta, ['c', 0, 2], 'make', makeRequest(ROOT, 'late'))), 'REFUSED');
      assert.deepEqual(await meta.names(ROOT), ['a']);
      // Other slots and other clients count by themselves.
      await send(meta, ['c', 1, 2], 'make', makeRequest(ROOT, 'b'));
      await send(meta, ['d', 0, 2], 'make', makeRequest(ROOT, 'c'));
    });
  });

  it('names the versions that a commit had put', async () => {
    await withMetaserver(async (meta) => {
      const { inode } = await meta.make(ROOT, 'a');
      const commit = (version: number, base = 0) =>
        send(meta, ['c', 0, 1], 'commit', {
          inode,
          changes: [change(0, base, version)],
          truncateTo: null,
          minimumSizeBytes: 1,
          modifyTimeNs: 1n,
          missing: [],
        });
      // One that lost changes nothing, and may come again with what it has learnt.
      assert.equal((await commit(7, 3)).state, 'conflict');
      const done = await commit(8);
      assert.ok(done.state === 'committed' && done.earlier === undefined);
      const again = await commit(9, 8);
      assert.ok(again.state === 'committed' && again.earlier === 8);
      assert.deepEqual(await meta.versions(inode), [[0, 8]]);
    });
  });

  it('must have an id of a text and two numbers', async () => {
    await withMetaserver(async (meta) => {
      for (const id of [
        [],
        ['c', 0],
        ['', 0, 1],
        ['c', -1, 1],
        ['c', 0, 0],
        ['x'.repeat(65), 0, 1],
        7,
        ['c', 0, 1, 1],
      ]) {
        assert.equal(await codeOf(send(meta, id as RequestId, 'make', makeRequest(ROOT, 'a'))), 'MALFORMED');
      }
    });
  });
});

describe('kept results', () => {
  for (const kind of [memoryPlaces, lmdbPlaces]) {
    it(`survive a crash exactly with what they are the results of, over ${kind.name}`, async () => {
      await withPlace(kind, async (place) => {
        const first = await TestMetaserver.open(place.factory);
        await send(first, ['c', 0, 1], 'make', makeRequest(ROOT, 'kept'));
        await first.service.sync({});
        await send(first, ['c', 1, 1], 'make', makeRequest(ROOT, 'lost'));
        await place.crash();
        const second = await TestMetaserver.open(place.factory);
        await send(second, ['c', 0, 1], 'make', makeRequest(ROOT, 'kept'));
        await send(second, ['c', 1, 1], 'make', makeRequest(ROOT, 'lost'));
        assert.deepEqual(await second.names(ROOT), ['kept', 'lost']);
        await second.close();
      });
    });
  }

  it('are there for what was carried out again under the number that a crash had lost', async () => {
    await withPlace(memoryPlaces, async (place) => {
      const first = await TestMetaserver.open(place.factory);
      const named = await send(first, ['c', 0, 1], 'make', makeRequest(ROOT, 'a'));
      const unnamedRequest = { parent: ROOT, mode: 0o600, caller: { uid: 1, gid: 2 }, blockSizeBytes: 4096 };
      const unnamed = await send(first, ['c', 1, 1], 'makeUnnamed', unnamedRequest);
      await place.crash();
      const second = await TestMetaserver.open(place.factory);
      const again = { ...makeRequest(ROOT, 'a'), inode: named.attributes.inode };
      assert.deepEqual(await send(second, ['c', 0, 1], 'make', again), named);
      assert.deepEqual(await send(second, ['c', 0, 1], 'make', again), { ...named, isRepetition: true });
      const unnamedAgain = { ...unnamedRequest, inode: unnamed.attributes.inode };
      assert.deepEqual(await send(second, ['c', 1, 1], 'makeUnnamed', unnamedAgain), unnamed);
      assert.deepEqual(await send(second, ['c', 1, 1], 'makeUnnamed', unnamedAgain), {
        ...unnamed,
        isRepetition: true,
      });
      // A number in use is refused, also when it is free by now.
      const taken = { ...makeRequest(ROOT, 'b'), inode: named.attributes.inode };
      assert.equal(await codeOf(send(second, ['c', 0, 2], 'make', taken)), 'EINVAL');
      await second.do('unlink', { parent: ROOT, name: 'a', held: [] });
      assert.equal(await codeOf(send(second, ['c', 0, 2], 'make', taken)), 'EINVAL');
      await second.close();
      await withTables(place, checkConsistency);
    });
  });

  it('are there for a whiteout that was made again under the number that a crash had lost', async () => {
    await withPlace(memoryPlaces, async (place) => {
      const first = await TestMetaserver.open(place.factory);
      await first.do('make', makeRequest(ROOT, 'a'), true);
      const request: Commands['rename']['request'] = {
        ...{ parent: ROOT, name: 'a', newParent: ROOT, newName: 'b', mode: 'replace', held: [] },
        whiteout: { uid: 1, gid: 2 },
      };
      const moved = await send(first, ['c', 0, 1], 'rename', request);
      assert.ok(moved.whiteout !== undefined);
      await place.crash();
      const second = await TestMetaserver.open(place.factory);
      const again = { ...request, inode: moved.whiteout };
      assert.deepEqual(await send(second, ['c', 0, 1], 'rename', again), moved);
      assert.deepEqual(await send(second, ['c', 0, 1], 'rename', again), { ...moved, isRepetition: true });
      await second.close();
      await withTables(place, checkConsistency);
    });
  });

  it('are one for each slot, however many commands there were', async () => {
    await withPlace(memoryPlaces, async (place) => {
      const meta = await TestMetaserver.open(place.factory);
      for (let n = 1; n <= 100; n++) {
        await send(meta, ['c', 0, n], 'make', makeRequest(ROOT, `a${n}`));
        await codeOf(send(meta, ['c', 2, n], 'unlink', { parent: ROOT, name: 'none', held: [] }));
      }
      await meta.close();
      assert.equal(await keptResults(place), 2);
    });
  });

  it('go with their client, and of one that is silent only while it has asked for nothing more', async () => {
    await withPlace(memoryPlaces, async (place) => {
      const meta = await TestMetaserver.open(place.factory);
      const forget = (client: string, requests?: number) =>
        meta.service.execute({ name: 'forgetResults', timeNs: DAY_NS, request: { client, requests }, durable: true });
      const rows = async () => {
        const engine = new Engine(await place.factory('', new TestRuntime()));
        const { from, to } = wholeTable('results');
        return engine.scan(from, to, Number.POSITIVE_INFINITY).length;
      };
      await send(meta, ['a', 0, 1], 'make', makeRequest(ROOT, 'a'), 0n);
      await send(meta, ['b', 0, 1], 'make', makeRequest(ROOT, 'b'), 0n);
      await send(meta, ['bb', 0, 1], 'make', makeRequest(ROOT, 'c'), 400n * DAY_NS);
      await send(meta, ['bb', 2, 1], 'make', makeRequest(ROOT, 'd'), -400n * DAY_NS);
      await forget('b');
      assert.equal(await rows(), 3);
      assert.deepEqual((await meta.ask('clients', { limit: 1 })).clients, [{ client: 'a', requests: 1 }]);
      const { clients } = await meta.ask('clients', { after: 'a', limit: 5 });
      assert.deepEqual(clients, [{ client: 'bb', requests: 2 }]);
      await send(meta, ['bb', 2, 2], 'make', makeRequest(ROOT, 'e'));
      await forget('bb', 2);
      assert.equal(await rows(), 3);
      await send(meta, ['bb', 2, 2], 'make', makeRequest(ROOT, 'e'));
      await forget('bb', 3);
      assert.equal(await rows(), 1);
      await meta.close();
    });
  });

  for (let seed = 1; seed <= 20; seed++) {
    it(`make many deliveries of a stream of commands the same as one, seed ${seed}`, async () => {
      const once = new MemoryStore();
      const often = new MemoryStore();
      const one = await TestMetaserver.open(memoryEngine(once));
      const other = await TestMetaserver.open(memoryEngine(often));
      const commands = new RandomCommands(seed);
      const sequences = [0, 0, 0];
      const sent: Command[] = [];
      const versions = new Map<string, number>();
      for (let n = 0; n < 300; n++) {
        const slot = commands.below(3);
        const id: RequestId = ['client', slot, (sequences[slot] ?? 0) + 1];
        sequences[slot] = id[2];
        const command: Command = { ...commands.next((inode, index) => versions.get(`${inode}/${index}`) ?? 0), id };
        if (command.name === 'purge' || command.name === 'trim') continue;
        sent.push(command);
        const answer = await outcome(one, command);
        assert.deepEqual(await outcome(other, command), answer);
        if (answer !== 'conflict' && command.name === 'commit') {
          for (const { index } of command.request.changes) versions.delete(`${command.request.inode}/${index}`);
          for (const [index, version] of await one.versions(command.request.inode).catch(() => []))
            versions.set(`${command.request.inode}/${index}`, version);
        }
        commands.inodes = (await one.ask('statistics', {})).inodes + 5;
        // This one again, and old ones, whose slot has been used since or has not.
        const latest = answer === 'conflict' ? null : command;
        const late = sent.slice(-20)[commands.below(20)];
        for (const repeated of [latest, late]) {
          if (repeated === null || repeated === undefined || (repeated === late && late === command)) continue;
          if (repeated.name !== 'commit' || repeated === latest) await outcome(other, repeated);
        }
      }
      await Promise.all([one.close(), other.close()]);
      const place = (store: MemoryStore) => ({ factory: memoryEngine(store) }) as unknown as Place;
      assert.deepEqual(await withoutIdentity(place(often)), await withoutIdentity(place(once)));
      await withTables(place(often), checkConsistency);
    });
  }
});

async function outcome(meta: TestMetaserver, command: Command): Promise<string> {
  try {
    const result = await meta.service.execute({ ...command, durable: false });
    return 'state' in result && result.state === 'conflict' ? 'conflict' : 'done';
  } catch (error) {
    if (error instanceof FileError) return error.code;
    return 'over';
  }
}

/** All rows but the random names of the cluster and of its history. */
async function withoutIdentity(place: Place): Promise<[string, string][]> {
  return (await dump(place)).filter(([key]) => key !== CLUSTER_KEY && key !== HISTORY_KEY);
}
