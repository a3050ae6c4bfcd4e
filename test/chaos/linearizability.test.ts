import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { SeededRandom } from '../simulation/world/seeded-random.js';
import { checkRegister, type RegisterOperation } from './linearizability.js';

const NEVER = Number.POSITIVE_INFINITY;

function write(value: number, called: number, returned: number): RegisterOperation {
  return { kind: 'write', value, called, returned };
}

function read(value: number, called: number, returned: number): RegisterOperation {
  return { kind: 'read', value, called, returned };
}

/** A history of a true register: every operation takes effect at some moment between call and return. */
function trueHistory(random: SeededRandom, clients: number, operations: number): RegisterOperation[] {
  const planned = Array.from({ length: clients }, () => {
    let time = 0;
    return Array.from({ length: operations }, () => {
      const called = time + random.between(1, 10);
      const effect = called + random.between(1, 30);
      const returned = effect + random.between(1, 30);
      time = returned;
      return { called, effect, returned };
    });
  }).flat();
  let value = 0;
  let written = 0;
  return planned
    .sort((one, other) => one.effect - other.effect)
    .map(({ called, returned }) => {
      if (random.chance(0.5)) return read(value, called, returned);
      value = ++written;
      return write(value, called, random.chance(0.02) ? NEVER : returned);
    });
}

describe('a history of a register', () => {
  const right: Readonly<Record<string, RegisterOperation[]>> = {
    nothing: [],
    'the initial value, then what was written': [read(0, 0, 1), write(1, 2, 3), read(1, 4, 5)],
    'either value while a write is under way': [write(1, 0, 10), read(1, 1, 2), read(1, 3, 4)],
    'a write that takes effect late': [write(1, 0, 10), read(0, 1, 2), read(1, 3, 4)],
    'two writes at once, in the order that the reads tell': [write(1, 0, 10), write(2, 0, 10), read(2, 11, 12)],
    'a write without an answer that took effect much later': [write(1, 0, NEVER), read(0, 5, 6), read(1, 7, 8)],
    'a write without an answer that never took effect': [write(1, 0, NEVER), write(2, 1, 2), read(2, 3, 4)],
  };
  for (const [what, history] of Object.entries(right)) {
    it(`is linearizable: ${what}`, () => {
      assert.deepEqual(checkRegister(history, 0), { isLinearizable: true, stuck: [] });
    });
  }

  const wrong: Readonly<Record<string, RegisterOperation[]>> = {
    'a read that is stale': [write(1, 0, 1), read(0, 2, 3)],
    'a value that nobody wrote': [write(1, 0, 1), read(7, 2, 3)],
    'a value from the future': [read(1, 0, 1), write(1, 2, 3)],
    'two readers that see two writes in two orders': [
      ...[write(1, 0, 10), write(2, 0, 10)],
      ...[read(1, 1, 2), read(2, 3, 4), read(1, 5, 6)],
    ],
    'a value that comes back': [write(1, 0, 1), write(2, 2, 3), read(2, 4, 5), read(1, 6, 7)],
    'a write without an answer that is undone': [write(1, 0, NEVER), read(1, 1, 2), read(0, 3, 4)],
  };
  for (const [what, history] of Object.entries(wrong)) {
    it(`is not linearizable: ${what}`, () => {
      const { isLinearizable, stuck } = checkRegister(history, 0);
      assert.equal(isLinearizable, false);
      assert.ok(stuck.length > 0);
    });
  }

  it('is linearizable when it is that of a true register, and is not with one read changed to what was overwritten', () => {
    let changed = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const history = trueHistory(new SeededRandom(seed), 4, 60);
      assert.ok(checkRegister(history, 0).isLinearizable, `seed ${seed}`);
      // A read that begins after a write has ended must not see what had been read before that write began.
      const early = history.find(({ kind }) => kind === 'read');
      const between = history.find(({ kind, called }) => kind === 'write' && called > (early?.returned ?? NEVER));
      const late = history.find(({ kind, called }) => kind === 'read' && called > (between?.returned ?? NEVER));
      if (early === undefined || between === undefined || late === undefined) continue;
      changed++;
      const spoilt = history.map((each) => (each === late ? { ...late, value: early.value } : each));
      assert.equal(checkRegister(spoilt, 0).isLinearizable, false, `seed ${seed}`);
    }
    assert.ok(changed > 40);
  });
});
