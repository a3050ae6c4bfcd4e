// What is special to each protocol, by the clock where a figure is promised.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { DEFAULTS } from '../../../src/catalog/configuration/defaults.js';
import { CatalogError } from '../../../src/catalog/map/errors.js';
import { CatalogWorld } from './catalog-world.js';
import { Client } from './client.js';
import { bytes, leaders, server, text } from './kit.js';

describe('what each protocol promises', function () {
  this.timeout(60_000);

  for (const protocol of ['raft', 'viewstamped'] as const) {
    it(`${protocol}: a minority elects nobody, a majority within a second, and the rest follows`, async () => {
      const world = new CatalogWorld({ seed: 1, protocol, servers: 5 });
      for (const name of ['s1', 's2']) server(world, name).host.start();
      await world.run(3000);
      assert.deepEqual(leaders(world), []);
      server(world, 's3').host.start();
      const tookMs = await world.until('a leader', () => leaders(world).length === 1);
      assert(tookMs <= 1500, `it took ${tookMs} ms`);
      const [first] = leaders(world);
      for (const name of ['s4', 's5']) server(world, name).host.start();
      await world.run(2000);
      assert.deepEqual(leaders(world), [first]);
      world.end();
    });

    it(`${protocol}: a server of another cluster at a founder's address founds nothing`, async () => {
      const world = new CatalogWorld({ seed: 14, protocol, servers: 3 });
      const stranger = server(world, 's3');
      stranger.configure({ cluster: 'other' });
      for (const each of [server(world, 's1'), stranger]) each.host.start();
      await world.run(2000);
      assert.match(world.story, /s3 error catalog\.not_registered .*s3 is of catalog other by/);
      stranger.host.kill();
      stranger.wipe();
      stranger.configure({ cluster: DEFAULTS.cluster });
      stranger.host.start();
      await world.until('a leader', () => leaders(world).length === 1);
      world.end();
    });

    it(`${protocol}: a server that has lost its disk comes back as another member`, async () => {
      const world = new CatalogWorld({ seed: 2, protocol, servers: 3 });
      world.start();
      const client = new Client(world);
      await client.change({ kind: 'create', path: '/a', value: bytes('1') });
      const lost = server(world, 's2');
      lost.host.kill();
      lost.wipe();
      await client.change({ kind: 'set', path: '/a', value: bytes('2') });
      lost.host.start();
      await world.until('it has everything again', () => lost.running?.catalog.versionHere('/a') === 2);
      assert.match(world.story, /s2 info catalog\.newcomer/);
      await world.until('it counts', () => /voter_added.*s2/.test(world.story));
      world.end();
    });
  }

  it('raft in memory: whoever is started anew is another member, one after the other', async () => {
    const world = new CatalogWorld({ seed: 13, protocol: 'raft', servers: 3, config: { memory: true } });
    world.start();
    const client = new Client(world);
    const { version } = await client.change({ kind: 'create', path: '/a', value: bytes('1') });
    for (const each of world.servers) {
      each.host.kill();
      await client.get('/a');
      each.host.start();
      await world.until(
        `${each.name} counts again`,
        () =>
          world.story.includes(`${each.name} info catalog.newcomer`) &&
          new RegExp(`voter_added.*${each.name}/`).test(world.story) &&
          each.running?.catalog.versionHere('/a') === version,
      );
    }
    assert.equal(text((await client.get('/a')).bytes), '1');
    world.end();
  });

  it('viewstamped: views take turns', async () => {
    const world = new CatalogWorld({ seed: 3, protocol: 'viewstamped', servers: 3 });
    world.start();
    const seen: (string | undefined)[] = [];
    for (let turn = 0; turn < 4; turn++) {
      await world.until('a primary', () => leaders(world).length === 1);
      const [name = ''] = leaders(world);
      seen.push(name);
      server(world, name).host.kill();
      await world.until('the next primary', () => leaders(world).length === 1);
      server(world, name).host.start();
      await world.run(1000);
    }
    const order = ['s1', 's2', 's3'];
    const first = order.indexOf(seen[0] ?? '');
    assert.deepEqual(
      seen,
      seen.map((_, turn) => order[(first + turn) % order.length]),
    );
    world.end();
  });

  it('primary-backup: the lowest living number takes over within three heartbeats', async () => {
    const heartbeatMs = 500;
    const config = { heartbeatMs, electionTimeoutMs: 1200 };
    const world = new CatalogWorld({ seed: 4, protocol: 'primary-backup', servers: 4, config });
    world.start();
    await world.until('a primary', () => leaders(world).length === 1);
    assert.deepEqual(leaders(world), ['s1']);
    await world.run(2000);
    for (const next of ['s2', 's3']) {
      server(world, leaders(world)[0] ?? '').host.kill();
      const tookMs = await world.until('the next primary', () => leaders(world).length === 1);
      assert(tookMs <= 3 * heartbeatMs, `it took ${tookMs} ms`);
      assert.deepEqual(leaders(world), [next]);
      await world.run(3000);
    }
    world.end();
  });

  it('primary-backup: in a network that splits both parts answer, and what one of them has answered is lost', async () => {
    const world = new CatalogWorld({ seed: 5, protocol: 'primary-backup', servers: 3 });
    world.start();
    const client = new Client(world);
    await client.change({ kind: 'create', path: '/a', value: bytes('0') });
    await world.run(500);
    world.split([server(world, 's1')]);
    await world.until('two primaries', () => leaders(world).length === 2);
    const change = (name: string) =>
      world.settle(
        'a change',
        world.call(server(world, name), (catalog) => catalog.change({ kind: 'set', path: '/a', value: bytes(name) })),
      );
    await change('s1');
    await change('s2');
    world.heal();
    await world.until('one primary', () => leaders(world).length === 1);
    await world.run(1000);
    assert.equal(text((await client.get('/a')).bytes), 's2', 'the later primary stays');
    const status = await client.anywhere((catalog) => catalog.status());
    assert.match(status.promise, /network splits/);
    world.end();
  });

  it('quorum: all servers are equal within two rounds of gossip, with one killed for good as well', async () => {
    for (const killed of [null, 's3']) {
      const world = new CatalogWorld({ seed: 6, protocol: 'quorum', servers: 3 });
      world.start();
      const client = new Client(world);
      await client.change({ kind: 'put', path: '/files/f', value: bytes('1'), version: 100 });
      if (killed !== null) server(world, killed).host.cutPower();
      await client.change({ kind: 'put', path: '/files/f', value: bytes('2'), version: 101 });
      await assert.rejects(
        client.change({ kind: 'put', path: '/files/f', value: bytes('3'), version: 101 }),
        (error: unknown) => error instanceof CatalogError && error.code === 'VERSION',
      );
      const living = world.servers.filter(({ name }) => name !== killed);
      const isEqual = () => living.every(({ running }) => running?.catalog.versionHere('/files/f') === 101);
      await world.until('all have it', isEqual, 10_000);
      assert.equal(text((await client.get('/files/f')).bytes), '2');
      world.end();
    }
  });

  it('quorum: where two versions tie, the same one wins on all servers', async () => {
    const contents: string[] = [];
    for (const seed of [7, 8]) {
      // Write quorums that do not overlap: both servers accept.
      const config = { writeQuorum: 1, readQuorum: 3, gossipMs: 300 };
      const world = new CatalogWorld({ seed, protocol: 'quorum', servers: 3, config });
      world.start();
      const client = new Client(world);
      await client.change({ kind: 'create', path: '/a', value: bytes('0'), version: 1 });
      await world.run(1500);
      const write = (name: string, value: string) =>
        world.call(server(world, name), (catalog) =>
          catalog.change({ kind: 'set', path: '/a', value: bytes(value), version: 5 }),
        );
      const both = seed === 7 ? [write('s1', 'x'), write('s2', 'y')] : [write('s2', 'y'), write('s1', 'x')];
      await world.settle('both', Promise.all(both));
      await world.run(1500);
      const seen = await Promise.all(
        world.servers.map(async (each) => {
          const found = await world.settle(
            'a read',
            world.call(each, (catalog) => catalog.get('/a')),
          );
          return text(found.bytes);
        }),
      );
      assert.equal(new Set(seen).size, 1, seen.join());
      contents.push(seen[0] ?? '');
      world.end();
    }
    assert.equal(contents[0], contents[1], 'whoever came first does not matter');
  });

  it('lazy: a read waits for what its asker has seen, and says so when the only server that has it is gone', async () => {
    const world = new CatalogWorld({ seed: 9, protocol: 'lazy', servers: 3 });
    world.start();
    const client = new Client(world);
    await client.change({ kind: 'create', path: '/a', value: bytes('1') });
    await world.run(1500);
    const read = (timestamp: string | undefined) =>
      world.settle(
        'a read',
        world.call(server(world, 's2'), (catalog) => catalog.get('/a', timestamp === undefined ? {} : { timestamp })),
      );
    const write = (value: string) =>
      world.settle(
        'a change',
        world.call(server(world, 's1'), (catalog) => catalog.change({ kind: 'set', path: '/a', value: bytes(value) })),
      );
    const second = await write('2');
    const fresh = await read(second.timestamp);
    assert.equal(text(fresh.bytes), '2');
    assert.equal(fresh.stale, undefined);
    world.split([server(world, 's1')]);
    const third = await write('3');
    server(world, 's1').host.cutPower();
    await world.run(200);
    const stale = await read(third.timestamp);
    assert.equal(text(stale.bytes), '2');
    assert.match(stale.stale ?? '', /s1\/\w+ has made update \d+, which no server that can be reached has/);
    world.end();
  });

  it('lazy: what servers took apart from each other ends with the same value, in the same order, everywhere', async () => {
    const world = new CatalogWorld({ seed: 10, protocol: 'lazy', servers: 3 });
    world.start();
    await world.run(500);
    world.split([server(world, 's1')]);
    world.split([server(world, 's2')]);
    for (const each of world.servers) {
      for (const path of ['/shared', `/of-${each.name}`]) {
        await world.settle(
          'a change',
          world.call(each, (catalog) => catalog.change({ kind: 'put', path, value: bytes(each.name) })),
        );
      }
    }
    world.heal();
    await world.run(3000);
    const seen = await Promise.all(
      world.servers.map(async (each) => {
        const found = await world.settle(
          'a read',
          world.call(each, (catalog) => catalog.get('/shared')),
        );
        const listed = await world.settle(
          'a list',
          world.call(each, (catalog) => catalog.list('/')),
        );
        return `${text(found.bytes)} ${listed.names.join()}`;
      }),
    );
    assert.equal(new Set(seen).size, 1, seen.join(' | '));
    assert.equal((seen[0] ?? '').split(',').length, 4);
    world.end();
  });

  it('lazy: one server that is left serves all', async () => {
    const world = new CatalogWorld({ seed: 11, protocol: 'lazy', servers: 3 });
    world.start();
    const client = new Client(world);
    await client.change({ kind: 'create', path: '/a', value: bytes('1') });
    await world.run(1500);
    for (const name of ['s1', 's3']) server(world, name).host.cutPower();
    await client.change({ kind: 'set', path: '/a', value: bytes('2') });
    assert.equal(text((await client.get('/a')).bytes), '2');
    world.end();
  });
});
