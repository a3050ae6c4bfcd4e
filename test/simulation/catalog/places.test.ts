// Which server is which: names, addresses and stores.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type CatalogHost, CatalogWorld } from './catalog-world.js';
import { Client } from './client.js';
import { bytes, server, text } from './kit.js';

describe('servers of a catalog', function () {
  this.timeout(60_000);

  /** On a host of its own, with another address of s3 in its configuration. */
  function secondOfAName(world: CatalogWorld, isMoved: boolean): CatalogHost {
    const second = world.join('s4', {
      servers: ['s1', 's2', 's3'].map((name) => ({ name, address: `${name === 's3' ? 's4' : name}:1` })),
    });
    second.rename('s3', isMoved);
    second.host.kill();
    second.host.start();
    return second;
  }

  for (const protocol of ['quorum', 'lazy'] as const) {
    for (const isDown of [false, true]) {
      it(`${protocol}: a second server of a name takes no part while the first one ${isDown ? 'is down' : 'lives'}`, async () => {
        const world = new CatalogWorld({ seed: 19, protocol, servers: 3, config: { gossipMs: 500 } });
        world.start();
        const client = new Client(world);
        await client.change({ kind: 'create', path: '/a', value: bytes('1') });
        await world.run(2000);
        if (isDown) server(world, 's3').host.kill();
        const second = secondOfAName(world, false);
        await world.run(5000);
        assert.equal(second.running?.catalog.versionHere('/a'), 0);
        assert.match(world.story, /s4 error replication\.not_greeted .*s3 is at s3:1, and not at s4:1/);
        world.end();
      });
    }
  }

  for (const protocol of ['raft', 'viewstamped', 'primary-backup', 'quorum', 'lazy'] as const) {
    it(`${protocol}: a server that has moved is removed and comes anew, and is found where it is, by all and after a restart`, async () => {
      const world = new CatalogWorld({ seed: 23, protocol, servers: 3, config: { gossipMs: 500 } });
      world.start();
      const client = new Client(world);
      await client.change({ kind: 'create', path: '/a', value: bytes('1') });
      await world.run(2000);
      server(world, 's3').host.kill();
      assert.equal(await client.anywhere((catalog) => catalog.removeServer('s3')), true);
      const moved = secondOfAName(world, true);
      await world.until('it has everything', () => (moved.running?.catalog.versionHere('/a') ?? 0) > 0);
      await world.run(3000);
      for (const name of ['s1', 's2']) {
        server(world, name).host.kill();
        await world.run(200);
        server(world, name).host.start();
        await world.run(3000);
      }
      for (const name of ['s1', 's2']) {
        const asked = server(world, name);
        const { servers } = await world.settle(
          'a status',
          world.call(asked, (catalog) => catalog.status()),
        );
        const found = servers.find((each) => each.name === 's3');
        assert.equal(found?.address, 's4:1');
        assert.notEqual(found?.role, 'unreachable', `${name} reaches it`);
      }
      await client.change({ kind: 'set', path: '/a', value: bytes('2') });
      world.end();
    });
  }

  it('a store of another protocol, cluster or server is refused, and stays as it is', async () => {
    const world = new CatalogWorld({ seed: 12, protocol: 'raft', servers: 1 });
    world.start();
    const client = new Client(world);
    await client.change({ kind: 'create', path: '/a', value: bytes('1') });
    server(world, 's1').host.kill();
    for (const config of [{ protocol: 'lazy' }, { protocol: 'viewstamped' }, { cluster: 'other' }] as const) {
      server(world, 's1').configure(config);
      server(world, 's1').host.start();
      await world.run(1000);
      assert.equal(server(world, 's1').running, null);
      assert.match(world.story, /the store in \/s1 is of (protocol raft|cluster catalog), and the configuration says/);
      server(world, 's1').host.kill();
    }
    server(world, 's1').configure({ protocol: 'raft', cluster: 'catalog' });
    server(world, 's1').host.start();
    assert.equal(text((await client.get('/a')).bytes), '1');
    world.end();
  });
});
