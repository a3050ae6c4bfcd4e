// What the catalog promises under every protocol, on simulated servers.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Catalog } from '../../../src/catalog/catalog.js';
import type { Command } from '../../../src/catalog/map/commands.js';
import { CatalogError } from '../../../src/catalog/map/errors.js';
import { CatalogWorld } from './catalog-world.js';
import { Client } from './client.js';

const PROTOCOLS: readonly Catalog['protocol'][] = ['raft', 'viewstamped', 'primary-backup', 'quorum', 'lazy'];

for (const protocol of PROTOCOLS) {
  describe(`the catalog by ${protocol}`, function () {
    this.timeout(60_000);

    it('creates, sets, gets, lists and removes, and refuses what does not fit', async () => {
      const world = new CatalogWorld({ seed: 1, protocol, servers: 3 });
      const ask = await begin(world);
      await ask.change({ kind: 'create', path: '/a', value: bytes('1') });
      await ask.change({ kind: 'create', path: '/a/b', value: bytes('2') });
      await refused(ask, 'EXISTS', { kind: 'create', path: '/a', value: bytes('') });
      await refused(ask, 'NO_PARENT', { kind: 'create', path: '/x/y', value: bytes('') });
      await refused(ask, 'NOT_FOUND', { kind: 'set', path: '/c', value: bytes('') });
      await refused(ask, 'NOT_EMPTY', { kind: 'remove', path: '/a' });
      await refused(ask, 'BAD_PATH', { kind: 'remove', path: '/' });
      await refused(ask, 'BAD_PATH', { kind: 'create', path: '/a//b', value: bytes('') });
      await refused(ask, 'TOO_LARGE', { kind: 'create', path: '/big', value: new Uint8Array(2 ** 20 + 1) });
      const { version } = await ask.get('/a');
      await refused(ask, 'VERSION', { kind: 'set', path: '/a', value: bytes('3'), expected: version + 1 });
      await ask.change({ kind: 'set', path: '/a', value: bytes('3'), expected: version });
      assert.equal(text((await ask.get('/a')).bytes), '3');
      await ask.change({ kind: 'put', path: '/p/q/r', value: bytes('deep') });
      assert.deepEqual([...(await ask.list('/'))].sort(), ['a', 'p']);
      assert.deepEqual(await ask.list('/p'), ['q']);
      await ask.change({ kind: 'remove', path: '/a/b' });
      await ask.change({ kind: 'remove', path: '/a' });
      await assert.rejects(ask.get('/a'), isRefusal('NOT_FOUND'));
      assert.deepEqual(await ask.list('/'), ['p']);
      world.end();
    });

    it('asks each other at most ten times a second when there is nothing to do', async () => {
      const world = new CatalogWorld({ seed: 6, protocol, servers: 3 });
      const ask = await begin(world);
      await ask.change({ kind: 'create', path: '/a', value: bytes('1') });
      await world.run(3000);
      const before = world.network.messages;
      await world.run(10_000);
      // Six directions; a call and its answer are two messages.
      const calls = (world.network.messages - before) / 2 / 6 / 10;
      assert(calls <= 10, `${calls} calls a second`);
      world.end();
    });

    it('keeps everything when all processes are killed and started again', async () => {
      const world = new CatalogWorld({ seed: 2, protocol, servers: 3, config: { gossipMs: 500 } });
      const ask = await begin(world);
      for (let n = 0; n < 20; n++) await ask.change({ kind: 'create', path: `/k${n}`, value: bytes(`v${n}`) });
      // What one server alone has spreads first.
      await world.run(2000);
      for (const { host } of world.servers) host.cutPower();
      await world.run(100);
      world.restoreAll();
      const again = await begin(world);
      for (let n = 0; n < 20; n++) assert.equal(text((await again.get(`/k${n}`)).bytes), `v${n}`);
      world.end();
    });

    it('goes on without one server, for good', async () => {
      const world = new CatalogWorld({ seed: 3, protocol, servers: 3, config: { gossipMs: 500 } });
      const ask = await begin(world);
      await ask.change({ kind: 'create', path: '/a', value: bytes('1') });
      await world.run(2000);
      (world.servers.find(({ isLeading }) => isLeading) ?? assert.fail()).host.cutPower();
      const began = world.nowMs;
      await ask.change({ kind: 'set', path: '/a', value: bytes('2') });
      assert(world.nowMs - began < 2000, `it took ${world.nowMs - began} ms`);
      assert.equal(text((await ask.get('/a')).bytes), '2');
      world.end();
    });

    it('takes a new server in while clients write, and lets one go', async () => {
      const world = new CatalogWorld({ seed: 4, protocol, servers: 3, config: { gossipMs: 500 } });
      const ask = await begin(world);
      await ask.change({ kind: 'create', path: '/a', value: bytes('0') });
      const newcomer = world.join('s4');
      for (let n = 1; n < 30; n++) await ask.change({ kind: 'set', path: '/a', value: bytes(`${n}`) });
      await world.until(
        'the newcomer has everything',
        () => newcomer.running !== null && newcomer.running.catalog.versionHere('/a') > 0,
      );
      await world.run(2000);
      for (const server of world.servers) {
        const { servers } = await world.settle(
          'a status',
          world.call(server, (catalog) => catalog.status()),
        );
        assert.deepEqual(servers.map(({ name }) => name).sort(), ['s1', 's2', 's3', 's4'], `${server.name} knows all`);
      }
      await ask.anywhere((catalog) => catalog.removeServer('s2'));
      await world.run(2000);
      const { servers } = await world.settle(
        'a status',
        world.call(newcomer, (catalog) => catalog.status()),
      );
      assert.deepEqual(servers.map(({ name }) => name).sort(), ['s1', 's3', 's4']);
      await ask.change({ kind: 'set', path: '/a', value: bytes('end') });
      world.end();
    });

    it('a name that is there keeps its address, and nobody is removed who is not there', async () => {
      const world = new CatalogWorld({ seed: 7, protocol, servers: 3 });
      const ask = await begin(world);
      const add = (name: string, address: string) => ask.anywhere((catalog) => catalog.addServer(name, address));
      await assert.rejects(add('s2', 's9:1'), isRefusal('EXISTS'));
      await add('s2', 's2:1');
      await add('s9', 's9:1');
      await assert.rejects(add('s9', 's8:1'), isRefusal('EXISTS'));
      const remove = (name: string) => ask.anywhere((catalog) => catalog.removeServer(name));
      await assert.rejects(remove('zz'), isRefusal('NOT_FOUND'));
      assert.equal(await remove('s9'), true);
      assert.equal(await remove('s9'), false, 'again, with a clear word');
      await add('s9', 's8:1');
      world.end();
    });

    for (const changes of [{ cluster: 'other' }, { protocol: protocol === 'lazy' ? 'quorum' : 'lazy' } as const]) {
      it(`lets no server in of another ${Object.keys(changes).join()}`, async () => {
        const world = new CatalogWorld({ seed: 8, protocol, servers: 3 });
        const ask = await begin(world);
        world.join('s4', changes);
        await world.run(3000);
        ask.goTo(world.servers[0] ?? assert.fail());
        const { servers } = await ask.anywhere((catalog) => catalog.status());
        assert.deepEqual(servers.map(({ name }) => name).sort(), ['s1', 's2', 's3']);
        assert.match(
          world.story,
          /s4 error catalog\.not_introduced .*s4 is of catalog \w+ by [\w-]+, and not of catalog/,
        );
        world.end();
      });
    }

    it('a crashed server answers what it has, takes no part, and catches up when it is restored', async () => {
      const world = new CatalogWorld({ seed: 5, protocol, servers: 3, config: { gossipMs: 500 } });
      const ask = await begin(world);
      await ask.change({ kind: 'create', path: '/a', value: bytes('1') });
      await world.run(2000);
      const crashed = world.servers.find(({ isLeading }) => isLeading) ?? assert.fail();
      const catalog = crashed.running?.catalog ?? assert.fail();
      await world.settle('the crash', catalog.crash());
      await world.settle('the crash', catalog.crash());
      const before = catalog.versionHere('/a');
      assert(catalog.isCrashed && !catalog.isLeader && before > 0);
      const { version } = await ask.change({ kind: 'set', path: '/a', value: bytes('2') });
      await assert.rejects(world.settle('a refusal', catalog.get('/a')), isRefusal('CRASHED'));
      assert.equal(catalog.versionHere('/a'), before);
      await world.settle('the restoration', catalog.restore());
      const tookMs = await world.until('it catches up', () => catalog.versionHere('/a') === version, 5000);
      assert(tookMs <= 1000, `it took ${tookMs} ms`);
      world.end();
    });
  });
}

function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}

function isRefusal(code: string) {
  return (error: unknown) => error instanceof CatalogError && error.code === code;
}

/** Starts all servers, and waits until they answer. */
async function begin(world: CatalogWorld): Promise<Client> {
  world.start();
  const client = new Client(world);
  await client.anywhere((catalog) => catalog.list('/'));
  return client;
}

async function refused(client: Client, code: string, command: Command): Promise<void> {
  await assert.rejects(client.change(command), isRefusal(code));
}
