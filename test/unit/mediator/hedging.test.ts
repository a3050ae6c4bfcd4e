// When a read asks replicas that it did not choose, since those that it chose are late.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Counters } from '../../../src/mediator/counters.js';
import { Replica } from '../../../src/mediator/replicas/replica.js';
import { ReadSession } from '../../../src/mediator/voting/read-session.js';
import type { BlockService } from '../../../src/protocol/services/blocks.js';
import { hashBlock } from '../../../src/protocol/values/hash.js';
import type { Remote } from '../../../src/protocol/wire/client.js';
import { testRuntime } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';

const QUORUM = 3;
const EMPTY = { index: 0, version: 1, length: 0, hash: hashBlock(new Uint8Array(0)) };
const WANTED = [{ inode: 7, reference: EMPTY, offset: 0, length: 0 }];
/** How long a read waits before it hedges, when all answer within 5 ms. */
const PATIENCE_MS = 20;
/** How long a replica answers nothing that is stuck. */
const STUCK_MS = 100;

/** Five replicas, which answer when they are told to. */
function openReplicas() {
  const clock = new ManualClock();
  const counters = new Counters();
  const waiting = new Map<string, (() => void)[]>();
  const replicas = Array.from({ length: 5 }, (_, place) => {
    const name = `data${place}`;
    waiting.set(name, []);
    const get: BlockService['get'] = ({ items }) =>
      new Promise((resolve) => {
        const result = { state: 'present' as const, hash: EMPTY.hash, length: 0, data: Buffer.alloc(0) };
        waiting.get(name)?.push(() => resolve({ results: items.map(() => result) }));
      });
    const remote = { service: () => ({ get }) } as unknown as Remote;
    const replica = new Replica(name, 'here', remote, clock, () => {});
    replica.state = 'up';
    return replica;
  });
  const parts = { observer: { dissented() {}, unasked() {} }, counters, runtime: { ...testRuntime([]), clock } };
  return {
    clock,
    replicas,
    /** Reads that have asked further replicas. */
    hedges: () => counters.snapshot().hedges ?? 0,
    underWay: () => replicas.map(({ callsUnderWay }) => callsUnderWay),
    /** Asks those at the places first, in this order, and then others. */
    read(...places: number[]): Promise<void> {
      const chosen = places.map((place) => replicas[place] as Replica);
      const candidates = [...chosen, ...replicas.filter((replica) => !chosen.includes(replica))];
      return new ReadSession(WANTED, candidates, QUORUM, parts).run().then(({ outcomes }) => {
        assert.equal(outcomes[0]?.data?.length, 0);
      });
    },
    /** Has a replica answer all that it was asked by now. */
    answer(...places: number[]): void {
      for (const place of places) for (const reply of waiting.get(`data${place}`)?.splice(0) ?? []) reply();
    },
    /** Has them answer what they were asked first. */
    answerOne(...places: number[]): void {
      for (const place of places) waiting.get(`data${place}`)?.shift()?.();
    },
    /** Something else has asked them. */
    load(calls: number, ...places: number[]): void {
      for (const place of places) {
        const replica = replicas[place] as Replica;
        for (let left = calls; left > 0; left--) void replica.call(() => replica.blocks.get({ items: [] }));
      }
    },
  };
}

describe('a read whose replicas are late', () => {
  it('asks all others, when these have nothing to do', async () => {
    const { clock, hedges, underWay, read, answer } = openReplicas();
    const reading = read(0, 1, 2);
    answer(0, 1);
    await clock.advance(PATIENCE_MS - 1);
    assert.deepEqual(underWay(), [0, 0, 1, 0, 0]);
    await clock.advance(1);
    assert.deepEqual(underWay(), [0, 0, 1, 1, 1]);
    answer(3);
    await reading;
    assert.equal(hedges(), 1);
    assert.equal(clock.pending, 0);
  });

  it('asks nobody while the others have as much to do: that would only add to the load', async () => {
    const { clock, hedges, underWay, read, answer, answerOne } = openReplicas();
    const readings: Promise<void>[] = [];
    for (let turn = 0; turn < 15; turn++) readings.push(read(turn % 5, (turn + 1) % 5, (turn + 2) % 5));
    await clock.advance(10 * PATIENCE_MS);
    assert.deepEqual([hedges(), ...underWay()], [0, 9, 9, 9, 9, 9]);
    // All are slow, and none is stuck.
    for (let turn = 0; turn < 3; turn++) {
      answerOne(0, 1, 2, 3, 4);
      await clock.advance(PATIENCE_MS / 2);
    }
    assert.deepEqual([hedges(), ...underWay()], [0, 6, 6, 6, 6, 6]);
    answer(0, 1, 2, 3, 4);
    await Promise.all(readings);
    assert.equal(clock.pending, 0);
  });

  it('asks them later, when they have done what they had to do', async () => {
    const { clock, hedges, underWay, read, answer } = openReplicas();
    const readings: Promise<void>[] = [];
    for (let turn = 0; turn < 15; turn++) readings.push(read(turn % 5, (turn + 1) % 5, (turn + 2) % 5));
    await clock.advance(PATIENCE_MS);
    answer(0, 1, 2, 3);
    await clock.advance(PATIENCE_MS);
    // Nine reads wait for the last one, and ask both others while these have less than about half as much to do.
    assert.equal(underWay()[4], 9);
    assert.ok(hedges() > 0);
    for (let turn = 0; turn < 9; turn++) {
      answer(0, 1, 2, 3);
      await clock.advance(PATIENCE_MS);
    }
    await Promise.all(readings);
    assert.equal(underWay()[4], 9, 'nobody has waited for it');
    assert.equal(clock.pending, 0);
  });

  it('asks those that answer others while one is stuck, whatever they have to do', async () => {
    const { clock, hedges, replicas, underWay, load, read, answer, answerOne } = openReplicas();
    load(4, 3, 4);
    const reading = read(0, 1, 2);
    answer(1, 2);
    await clock.advance(STUCK_MS - 1);
    assert.deepEqual(underWay(), [1, 0, 0, 4, 4]);
    answerOne(3);
    await clock.advance(1);
    assert.deepEqual(underWay(), [1, 0, 0, 3 + 1, 4]);
    assert.equal(hedges(), 1);
    assert.ok((replicas[0]?.latencyMs ?? 0) >= 2 * PATIENCE_MS, 'the next reads ask it last');
    answer(3);
    await reading;
    assert.equal(clock.pending, 0);
  });

  it('asks all others after half a second, whatever they have to do', async () => {
    const { clock, hedges, underWay, read, answer } = openReplicas();
    const readings: Promise<void>[] = [];
    for (let turn = 0; turn < 5; turn++) readings.push(read(turn, (turn + 1) % 5, (turn + 2) % 5));
    for (let turn = 0; turn < 5; turn++) readings.push(read(turn, (turn + 1) % 5, (turn + 2) % 5));
    await clock.advance(499);
    assert.deepEqual([hedges(), ...underWay()], [0, 6, 6, 6, 6, 6]);
    await clock.advance(PATIENCE_MS);
    assert.deepEqual([hedges(), ...underWay()], [10, 10, 10, 10, 10, 10]);
    answer(0, 1, 2, 3, 4);
    await Promise.all(readings);
    assert.equal(clock.pending, 0);
  });

  it('asks those that have half as much to do as the one that is late', async () => {
    const { clock, underWay, read, answer } = openReplicas();
    const late = Array.from({ length: 4 }, () => read(0, 1, 2));
    await clock.advance(1);
    const busy = [read(3, 0, 1), read(3, 0, 1), read(3, 0, 1)];
    answer(0, 1);
    await clock.advance(PATIENCE_MS - 1);
    // Four calls of the third replica are late, the fourth has three, and the fifth nothing to do.
    assert.equal(underWay()[3], 3 + 1);
    answer(3, 4);
    await Promise.all([...late, ...busy]);
  });

  it('asks only those of the others that have less to do', async () => {
    const { clock, hedges, underWay, read, answer } = openReplicas();
    const reading = read(0, 1, 2);
    await clock.advance(1);
    answer(0, 1);
    const busy = [read(3, 0, 1), read(3, 0, 1)];
    await clock.advance(PATIENCE_MS - 2);
    assert.deepEqual(underWay(), [2, 2, 1, 2, 0]);
    await clock.advance(1);
    assert.deepEqual(underWay(), [2, 2, 1, 2, 1]);
    await clock.advance(500);
    assert.equal(hedges(), 3, 'each once, whatever it has asked at last');
    answer(0, 1, 2, 3, 4);
    await Promise.all([reading, ...busy]);
  });
});
