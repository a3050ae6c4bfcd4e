// What is special to each protocol, by the clock where a figure is promised.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Catalog } from '../../../src/catalog/catalog.js';
import { DEFAULTS } from '../../../src/catalog/configuration/defaults.js';
import { CatalogError } from '../../../src/catalog/map/errors.js';
import { OrderedCatalog } from '../../../src/catalog/ordered/ordered-catalog.js';
import { type CatalogHost, CatalogWorld } from './catalog-world.js';
import { Client } from './client.js';

const bytes = (value: string) => new TextEncoder().encode(value);
const text = (value: Uint8Array) => new TextDecoder().decode(value);

function server(world: CatalogWorld, name: string): CatalogHost {
  return world.servers.find((each) => each.name === name) ?? assert.fail(name);
}

function leaders(world: CatalogWorld): string[] {
  return world.servers.filter(({ isLeading }) => isLeading).map(({ name }) => name);
}

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

  for (const protocol of ['raft', 'viewstamped'] as const) {
    it(`${protocol}: what is below a path waits as soon as a majority is crashed, and so does a change`, async () => {
      const world = new CatalogWorld({ seed: 16, protocol, servers: 3 });
      world.start();
      const client = new Client(world);
      await client.change({ kind: 'create', path: '/a', value: bytes('1') });
      const leader = world.servers.find(({ isLeading }) => isLeading) ?? assert.fail();
      const others = world.servers.filter((each) => each !== leader).map(({ running }) => running?.catalog);
      const answered: string[] = [];
      const crashes = Promise.all(others.map((other) => other?.crash()));
      await world.settle('the crashes', crashes);
      const reads = world.call(leader, (catalog) => catalog.below('/')).then(() => answered.push('read'));
      const change = { kind: 'set', path: '/a', value: bytes('2') } as const;
      const writes = Promise.all(
        [1, 2, 3].map((n) =>
          world.call(leader, (catalog) => catalog.change({ ...change, path: `/a`, version: 10 * n })),
        ),
      ).then(() => answered.push('change'));
      const settled = Promise.allSettled([reads, writes]);
      await world.run(5000);
      assert.deepEqual(answered, []);
      await world.settle('the restorations', Promise.all(others.map((other) => other?.restore())));
      for (const outcome of await world.settle('answers of whoever leads', settled)) {
        const { reason } = outcome as { reason?: { code: string; leader?: object } };
        assert(
          outcome.status === 'fulfilled' || (reason?.code === 'NOT_LEADER' && reason.leader !== undefined),
          world.story,
        );
      }
      world.end();
    });
  }

  for (const protocol of ['raft', 'viewstamped'] as const) {
    it(`${protocol}: all that a deposed leader could not do is answered with who leads, though nobody changes anything`, async () => {
      const world = new CatalogWorld({ seed: 18, protocol, servers: 3 });
      world.start();
      const client = new Client(world);
      await client.change({ kind: 'create', path: '/a', value: bytes('1') });
      const deposed = world.servers.find(({ isLeading }) => isLeading) ?? assert.fail();
      world.split([deposed]);
      const change = { kind: 'set', path: '/a', value: bytes('2') } as const;
      const asked = Array.from({ length: 8 }, () => world.call(deposed, (catalog) => catalog.change(change)));
      const settled = Promise.allSettled(asked);
      await world.until('another leader', () => leaders(world).some((name) => name !== deposed.name));
      world.heal();
      for (const outcome of await world.settle('all answers', settled, 3000)) {
        assert(outcome.status === 'rejected', 'it can not be done');
        assert.equal(outcome.reason.code, 'NOT_LEADER');
      }
      assert.equal(text((await client.get('/a')).bytes), '1');
      world.end();
    });
  }

  for (const protocol of ['quorum', 'lazy'] as const) {
    it(`${protocol}: nothing changes on a server after its crash was answered`, async () => {
      const world = new CatalogWorld({ seed: 17, protocol, servers: 3, config: { gossipMs: 100 } });
      world.start();
      const client = new Client(world);
      await client.change({ kind: 'create', path: '/a', value: bytes('0') });
      for (let n = 0; n < 100; n++) {
        const crashed = world.servers[n % 3]?.running?.catalog ?? assert.fail();
        const outcomes = world.servers.map((each) =>
          world.call(each, (catalog) => catalog.change({ kind: 'set', path: '/a', value: bytes(`${n}`) })),
        );
        const settled = Promise.allSettled(outcomes);
        await world.run(world.random.between(0, 30) / 10);
        await world.settle('the crash', crashed.crash());
        const before = crashed.versionHere('/a');
        await world.settle('the changes', settled);
        await world.run(150);
        assert.equal(crashed.versionHere('/a'), before, `round ${n}`);
        await world.settle('the restoration', crashed.restore());
      }
      world.end();
    });
  }

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

  for (const protocol of ['raft', 'viewstamped', 'primary-backup'] as const) {
    it(`${protocol}: a request that says how long it waits for a leader is told that there is none`, async () => {
      const world = new CatalogWorld({ seed: 24, protocol, servers: 3 });
      const asked = server(world, 's1');
      asked.host.start();
      await world.until('it answers', () => asked.running !== null);
      const limitMs = 3000;
      const command = { kind: 'create', path: '/a', value: bytes('1') } as const;
      for (const request of [
        (catalog: Catalog) => catalog.get('/a', { limitMs }),
        (catalog: Catalog) => catalog.list('/', { limitMs }),
        (catalog: Catalog) => catalog.change(command, { limitMs }),
        (catalog: Catalog) => catalog.addServer('s9', 's9:1', limitMs),
        (catalog: Catalog) => catalog.removeServer('s3', limitMs),
      ]) {
        const beganMs = world.nowMs;
        await assert.rejects(world.settle<unknown>('a refusal', world.call<unknown>(asked, request)), {
          code: 'UNAVAILABLE',
          message: 'no server has led for 3 s: a majority must be there',
        });
        assert(world.nowMs - beganMs <= limitMs + 200, `it took ${world.nowMs - beganMs} ms`);
      }
      world.end();
    });
  }

  it('raft: a change that may have been proposed when the majority went says so when its time is over', async () => {
    const world = new CatalogWorld({ seed: 25, protocol: 'raft', servers: 3 });
    world.start();
    const client = new Client(world);
    await client.change({ kind: 'create', path: '/a', value: bytes('1') });
    const leader = server(world, leaders(world)[0] ?? '');
    for (const each of world.servers) if (each !== leader) each.host.kill();
    const command = { kind: 'set', path: '/a', value: bytes('2') } as const;
    await assert.rejects(
      world.settle(
        'an answer',
        world.call(leader, (catalog) => catalog.change(command, { limitMs: 3000 })),
      ),
      { code: 'OUTCOME_UNKNOWN', message: /no server has led for 3 s.*the change may be made later/ },
    );
    world.end();
  });

  it('raft in memory: says that it has lost its majority for good', async () => {
    const world = new CatalogWorld({ seed: 26, protocol: 'raft', servers: 3, config: { memory: true } });
    world.start();
    const client = new Client(world);
    await client.change({ kind: 'create', path: '/a', value: bytes('1') });
    const left = server(world, 's1');
    for (const name of ['s2', 's3']) server(world, name).host.kill();
    for (const name of ['s2', 's3']) server(world, name).host.start();
    await world.run(3000);
    const words = /s2, s3 have come back without what they had.*nobody can lead any more.*Stop all servers/;
    assert.match(world.story, /s1 error catalog\.majority_lost .*s2.*s3/);
    const { promise } = await world.settle(
      'a status',
      world.call(left, (catalog) => catalog.status()),
    );
    assert.match(promise, words);
    const refused = world.call(left, (catalog) => catalog.get('/a', { limitMs: 1000 }));
    await assert.rejects(world.settle('a refusal', refused), { code: 'UNAVAILABLE', message: words });
    world.end();
  });

  it('quorum: quorums that do not overlap are told of in the log and by the status', async () => {
    const config = { readQuorum: 1, writeQuorum: 2 };
    const world = new CatalogWorld({ seed: 27, protocol: 'quorum', servers: 3, config });
    world.start();
    await world.run(1000);
    assert.match(world.story, /s1 warn catalog\.quorums_apart .*"readQuorum":1,"writeQuorum":2,"servers":3/);
    const { promise } = await world.settle(
      'a status',
      world.call(server(world, 's1'), (catalog) => catalog.status()),
    );
    assert.match(promise, /THE QUORUMS DO NOT OVERLAP/);
    world.end();
  });

  it('raft: a term that nobody can count up from is not believed', async () => {
    const world = new CatalogWorld({ seed: 15, protocol: 'raft', servers: 3 });
    world.start();
    const client = new Client(world);
    await client.change({ kind: 'create', path: '/a', value: bytes('1') });
    const asked = server(world, leaders(world)[0] === 's1' ? 's2' : 's1');
    const raft = asked.running?.catalog instanceof OrderedCatalog ? asked.running.catalog.raft : undefined;
    const term = Number.MAX_SAFE_INTEGER;
    const vote = { term, candidate: 's3', lastLogIndex: term, lastLogTerm: term };
    const append = { term, leader: 's3', previousLogIndex: 0, previousLogTerm: 0, entries: 0 };
    const isTooFar = { code: 'BAD_REQUEST', message: /term 9007199254740991 is more than 4096 above/ };
    await assert.rejects(world.settle('a vote', raft?.requestVote(vote) ?? assert.fail()), isTooFar);
    await assert.rejects(world.settle('an answer', raft?.appendEntries(append) ?? assert.fail()), isTooFar);
    await client.change({ kind: 'set', path: '/a', value: bytes('2') });
    world.end();
  });

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
