// Metaservers that share a log in etcd: one leads, the others follow, and what was written is there whatever befalls.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import type { Mark } from '../../../../src/replication/core/core.js';
import { changes, EtcdWorld, outcomeOf, PREFIX, rowsOf, type Server } from './harness.js';

const NAMES = ['meta1', 'meta2', 'meta3'];
/** In which another metaserver leads at the latest. */
const FAILOVER_MS = 1600;
/** A large request may take ten seconds, and is made again. */
const LONGEST_MS = 60_000;

describe('metaservers that share a log in etcd', function () {
  this.timeout(30_000);
  let world: EtcdWorld;
  let servers: Server[] = [];

  async function begin(count: number): Promise<void> {
    const names = NAMES.slice(0, count);
    world = new EtcdWorld(names);
    servers = await Promise.all(names.map((name) => world.open(name)));
  }

  afterEach(async () => {
    for (const { clock } of servers) clock.isStanding = false;
    let isClosed = false;
    world.etcd.isAway = false;
    world.etcd.fate = () => 'answered';
    void Promise.all(servers.map(({ storage }) => storage.close())).then(() => {
      isClosed = true;
    });
    assert.ok(await world.until(() => isClosed), 'all are closed');
  });

  const leaders = () => servers.filter(({ storage }) => storage.leadership.isServing);
  const certain = () => servers.filter(({ storage }) => storage.leadership.isCertain);

  async function leader(): Promise<Server> {
    assert.ok(await world.until(() => certain().length === 1), 'one leads');
    return certain()[0] ?? assert.fail();
  }

  async function write(server: Server, rows: Record<string, string | null>): Promise<string | null> {
    const outcome = outcomeOf(server.storage.write(changes(rows)));
    await world.until(() => outcome.value !== null, LONGEST_MS);
    return outcome.value;
  }

  async function untilEqual(rows: Record<string, string>): Promise<void> {
    const expected = JSON.stringify(rows);
    const isEqual = (server: Server) => JSON.stringify(rowsOf(server)) === expected;
    assert.ok(await world.until(() => servers.every(isEqual)), JSON.stringify(servers.map(rowsOf)));
  }

  for (const count of [1, 2, 3]) {
    it(`have one leader among ${count}, whose writes all of them get`, async () => {
      await begin(count);
      const first = await leader();
      for (let number = 0; number < 5; number++) assert.equal(await write(first, { [`k${number}`]: 'v' }), 'done');
      assert.equal(await write(first, { k0: null }), 'done');
      await untilEqual({ k1: 'v', k2: 'v', k3: 'v', k4: 'v' });
      assert.equal(leaders().length, 1);
    });
  }

  it('have another leader when theirs stands still, which knows when it wakes that it does not lead any more', async () => {
    await begin(3);
    const first = await leader();
    await write(first, { a: '1' });
    first.clock.isStanding = true;
    const startMs = world.nowMs;
    assert.ok(await world.until(() => leaders().some((each) => each !== first)));
    assert.ok(world.nowMs - startMs <= FAILOVER_MS, `${world.nowMs - startMs} ms`);
    const second = leaders().find((each) => each !== first) ?? assert.fail();
    assert.equal(await write(second, { b: '2' }), 'done');
    // It has not run since, and believes to lead.
    assert.equal(first.storage.leadership.isServing, true);
    assert.equal(first.storage.leadership.isCertain, false);
    const asked = outcomeOf(first.storage.leadership.confirm());
    const written = outcomeOf(first.storage.write(changes({ c: 'late' })));
    first.clock.isStanding = false;
    assert.ok(await world.until(() => asked.value !== null && written.value !== null));
    assert.equal(asked.value, 'NOT_LEADER');
    assert.equal(written.value, 'NOT_LEADER');
    await untilEqual({ a: '1', b: '2' });
  });

  it('write once what they ask for again because the answer was lost', async () => {
    await begin(2);
    const first = await leader();
    let lost = 2;
    world.etcd.fate = (path) => (path === '/v3/kv/txn' && lost-- > 0 ? 'answer lost' : 'answered');
    assert.equal(await write(first, { a: '1' }), 'done');
    assert.equal(first.storage.applied.index, 1);
    assert.equal(await write(first, { b: '2' }), 'done');
    await untilEqual({ a: '1', b: '2' });
    assert.equal(world.etcd.keys(`${PREFIX}/log/`).length, 2);
  });

  it('write once what etcd carries out late', async () => {
    await begin(2);
    const first = await leader();
    let late = 1;
    world.etcd.fate = (path) => (path === '/v3/kv/txn' && late-- > 0 ? 'late' : 'answered');
    assert.equal(await write(first, { a: '1' }), 'done');
    assert.equal(await write(first, { b: '2' }), 'done');
    await untilEqual({ a: '1', b: '2' });
  });

  it('wait while etcd is away, and go on when it is back', async () => {
    await begin(3);
    const first = await leader();
    await write(first, { a: '1' });
    world.etcd.isAway = true;
    const written = outcomeOf(first.storage.write(changes({ b: '2' })));
    const asked = outcomeOf(first.storage.leadership.confirm());
    await world.advance(900);
    assert.deepEqual(certain(), [], 'nobody answers from what it has');
    assert.equal(written.value, null);
    assert.equal(asked.value, 'done', 'it was certain when it was asked');
    world.etcd.isAway = false;
    assert.ok(await world.until(() => written.value !== null));
    assert.equal(written.value, 'done');
    await untilEqual({ a: '1', b: '2' });
    const told = world.events.filter(({ name, event }) => name === first.name && /^etcd\.(away|back)/.test(event));
    assert.deepEqual(
      told.map(({ event }) => event),
      ['etcd.away', 'etcd.back'],
    );
  });

  it('give up the lead when etcd is away for long, and lead anew when it is back', async () => {
    await begin(3);
    const first = await leader();
    world.etcd.isAway = true;
    assert.equal(await write(first, { a: '1' }), 'OUTCOME_UNKNOWN');
    assert.deepEqual(leaders(), []);
    assert.match(first.storage.leadership.notLeader().message, /http:\/\/etcd:2379: connect ECONNREFUSED/);
    world.etcd.isAway = false;
    const next = await leader();
    assert.equal(await write(next, { b: '2' }), 'done');
    await untilEqual({ b: '2' });
  });

  it('hand the lead over at once, to whom they are told', async () => {
    await begin(3);
    const first = await leader();
    const chosen = servers.find((each) => each !== first) ?? assert.fail();
    const startMs = world.nowMs;
    await first.storage.member.handOver(chosen.name);
    assert.ok(await world.until(() => chosen.storage.leadership.isServing));
    assert.ok(world.nowMs - startMs <= 300, `${world.nowMs - startMs} ms`);
  });

  it('do not believe a member of etcd that prolongs leases and is no leader any more', async () => {
    await begin(2);
    const first = await leader();
    world.etcd.hasStaleLeases = true;
    // The lease ends in etcd, whatever it says to keepalives.
    await world.advance(12_000, () => assert.ok(certain().length <= 1));
    assert.ok(world.events.some(({ name, event }) => name === first.name && event === 'etcd.stepped_down'));
  });

  it('write batches that are larger than a request of etcd', async () => {
    await begin(2);
    const first = await leader();
    const large = 'x'.repeat(3 * 1024 * 1024 + 17);
    let lost = 3;
    world.etcd.fate = (path) => (path === '/v3/kv/txn' && lost-- > 0 ? 'answer lost' : 'answered');
    assert.equal(await write(first, { large }), 'done');
    assert.equal(world.etcd.keys(`${PREFIX}/parts/`).length, 3);
    await untilEqual({ large });
  });

  it('remove what all of them have, and nothing that one of them lacks', async () => {
    await begin(3);
    const first = await leader();
    await write(first, { a: '1' });
    await world.advance(5000);
    assert.deepEqual(world.etcd.keys(`${PREFIX}/log/`), []);
    const away = servers.find((each) => each !== first) ?? assert.fail();
    away.clock.isStanding = true;
    for (const key of ['b', 'c']) await write(first, { [key]: '2' });
    await world.advance(5000);
    assert.equal(world.etcd.keys(`${PREFIX}/log/`).length, 2);
    away.clock.isStanding = false;
    await world.advance(5000);
    assert.deepEqual(world.etcd.keys(`${PREFIX}/log/`), []);
    await untilEqual({ a: '1', b: '2', c: '2' });
  });

  it('fill one that lacks entries that are gone by the whole state of the leader', async () => {
    await begin(2);
    const first = await leader();
    for (const key of ['a', 'b', 'c']) await write(first, { [key]: '1' });
    await world.advance(5000);
    assert.deepEqual(world.etcd.keys(`${PREFIX}/log/`), []);
    const blank = await world.open('meta3');
    servers.push(blank);
    assert.ok(await world.until(() => blank.lacks === 1));
    assert.equal(blank.storage.leadership.isServing, false);
    await write(first, { d: '1' });
    const { mark, chunks } = first.storage.states.snapshot('another');
    let isThere = false;
    const received = blank.storage.receiveState(mark as Mark, chunks).then(async () => {
      isThere = true;
      await chunks.return?.();
    });
    assert.ok(await world.until(() => isThere));
    await received;
    await untilEqual({ a: '1', b: '1', c: '1', d: '1' });
    assert.equal(blank.storage.member.needsState, false);
  });

  it('notice rows that differ, and do not lead with them', async () => {
    await begin(2);
    const first = await leader();
    await write(first, { a: '1' });
    await untilEqual({ a: '1' });
    const other = servers.find((each) => each !== first) ?? assert.fail();
    // As if it had applied something else before.
    const index = first.storage.applied.index + 1;
    const written = outcomeOf(first.storage.write(changes({ b: '2' })));
    assert.ok(await world.until(() => written.value === 'done'));
    const key =
      world.etcd.keys(`${PREFIX}/log/`).find((each) => Number(each.split('/').at(-1)) === index) ?? assert.fail();
    const entry = world.etcd.get(key) ?? assert.fail();
    const at = entry.indexOf('\n') + 1;
    assert.equal(other.storage.applied.index, index - 1);
    world.etcd.put(key, `${entry.slice(0, at)}${String.fromCharCode(entry.charCodeAt(at) ^ 1)}${entry.slice(at + 1)}`);
    assert.ok(await world.until(() => other.divergences === 1));
    first.clock.isStanding = true;
    await world.advance(5000);
    assert.equal(other.storage.leadership.isServing, false);
  });

  it('say what to do when etcd is full, and go on when it has room', async () => {
    await begin(2);
    const first = await leader();
    world.etcd.isFull = true;
    assert.match((await write(first, { a: '1' })) ?? '', /NOT_LEADER|OUTCOME_UNKNOWN/);
    await world.advance(3000);
    assert.deepEqual(leaders(), []);
    assert.match(first.storage.member.trouble ?? '', /etcd is full \(alarm NOSPACE\): compact and defragment it/);
    const told = world.events.filter(({ name, event }) => name === first.name && event === 'etcd.refused');
    assert.equal(told.length, 1, 'it is said once');
    world.etcd.isFull = false;
    assert.equal(await write(await leader(), { b: '2' }), 'done');
  });

  it('refuse a log that ends before what they have', async () => {
    await begin(1);
    const first = await leader();
    const head = world.etcd.get(`${PREFIX}/state/head`) ?? assert.fail();
    await write(first, { a: '1' });
    world.etcd.remove(`${PREFIX}/state/leader`);
    world.etcd.put(`${PREFIX}/state/head`, head);
    assert.ok(await world.until(() => /etcd has lost entries/.test(first.storage.member.trouble ?? '')));
    await world.advance(3000);
    assert.deepEqual(leaders(), []);
    world.etcd.remove(PREFIX);
    assert.ok(await world.until(() => /etcd has no log under the prefix/.test(first.storage.member.trouble ?? '')));
  });
});
