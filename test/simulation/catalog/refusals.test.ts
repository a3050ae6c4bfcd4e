// What a catalog does not answer, or answers with a refusal: crashed, deposed, without a majority, asked for nonsense.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Catalog } from '../../../src/catalog/catalog.js';
import { OrderedCatalog } from '../../../src/catalog/ordered/ordered-catalog.js';
import { CatalogWorld } from './catalog-world.js';
import { Client } from './client.js';
import { bytes, leaders, server, text } from './kit.js';

describe('what a catalog refuses', function () {
  this.timeout(60_000);

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
});
