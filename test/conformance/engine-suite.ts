// What every storage below the namespace must do, as a suite over a kind of
// place; the engine above it is the same for all.
import assert from 'node:assert/strict';
import { it } from 'mocha';
import { Engine } from '../../src/metaserver/engine/engine.js';
import { type Place, type PlaceKind, seeded, TestRuntime, withPlace } from '../unit/metaserver/harness.js';

const ALL = Number.POSITIVE_INFINITY;
const END = '\u00ff\u00ff';

/** The cases by name, so that the suite can be tried on a broken storage too. */
export const engineCases: Record<string, (place: Place) => Promise<void>> = {
  async 'reads what was written, before and after it is durable'(place) {
    const engine = await openEngine(place);
    put(engine, { a: '1', b: '2' });
    assert.deepEqual(contents(engine), { a: '1', b: '2' });
    await engine.commit();
    assert.deepEqual(contents(engine), { a: '1', b: '2' });
    assert.equal(text(engine.get('a')), '1');
    assert.equal(engine.get('c'), undefined);
    await engine.close();
  },

  async 'lists keys in byte order, whatever their bytes'(place) {
    const engine = await openEngine(place);
    const keys = ['\u0001', 'a', 'a\0', 'a\0\0', 'a\u0001', 'ab', 'a\u00ff', 'b', 'b\u0080', '\u00fe'];
    engine.transaction(() => {
      for (const key of [...keys].reverse()) engine.put(key, bytes('x'));
    });
    assert.deepEqual(keysOf(engine), keys);
    await engine.commit();
    assert.deepEqual(keysOf(engine), keys);
    assert.deepEqual(
      engine.scan('a\0', 'b', ALL).map(({ key }) => key),
      ['a\0', 'a\0\0', 'a\u0001', 'ab', 'a\u00ff'],
    );
    assert.deepEqual(
      engine.scan('a\0', 'b', 2).map(({ key }) => key),
      ['a\0', 'a\0\0'],
    );
    await engine.close();
  },

  async 'keeps long keys and large and empty values'(place) {
    const engine = await openEngine(place);
    const longKey = `k${'n'.repeat(300)}`;
    engine.transaction(() => {
      engine.put(longKey, bytes('long'));
      engine.put('large', new Uint8Array(70_000).fill(7));
      engine.put('empty', new Uint8Array(0));
    });
    await engine.close();
    const reopened = await openEngine(place);
    assert.equal(text(reopened.get(longKey)), 'long');
    assert.deepEqual(Buffer.from(reopened.get('large') ?? []), Buffer.alloc(70_000, 7));
    assert.equal(reopened.get('empty')?.length, 0);
    await reopened.close();
  },

  async 'finds everything after a close'(place) {
    const engine = await openEngine(place);
    put(engine, { a: '1', b: '2' });
    await engine.close();
    const reopened = await openEngine(place);
    assert.deepEqual(contents(reopened), { a: '1', b: '2' });
    await reopened.close();
  },

  async 'keeps what was committed through a crash, and loses the rest whole'(place) {
    const engine = await openEngine(place);
    put(engine, { a: '1', b: '1' });
    await engine.commit();
    put(engine, { a: '2', c: '2' });
    await place.crash();
    const reopened = await openEngine(place);
    assert.deepEqual(contents(reopened), { a: '1', b: '1' });
    await reopened.close();
  },

  async 'keeps a removal through a crash'(place) {
    const engine = await openEngine(place);
    put(engine, { a: '1', b: '1' });
    await engine.commit();
    engine.transaction(() => engine.remove('a'));
    await engine.commit();
    await place.crash();
    const reopened = await openEngine(place);
    assert.deepEqual(contents(reopened), { b: '1' });
    await reopened.close();
  },

  async 'writes a large transaction whole'(place) {
    const engine = await openEngine(place);
    const rows = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`key${n}`, `value${n}`]));
    put(engine, rows);
    await engine.commit();
    await place.crash();
    const reopened = await openEngine(place);
    assert.deepEqual(contents(reopened), rows);
    await reopened.close();
  },

  async 'equals a plain map after any sequence of changes, commits and crashes'(place) {
    for (let seed = 1; seed <= 4; seed++) await randomRun(place, seed);
  },
};

export function engineSuite(kind: PlaceKind): void {
  for (const [name, run] of Object.entries(engineCases)) it(name, () => withPlace(kind, run));
}

async function randomRun(place: Place, seed: number): Promise<void> {
  const random = seeded(seed);
  const below = (bound: number) => Math.floor(random() * bound);
  let engine = await openEngine(place);
  let model = new Map(Object.entries(contents(engine)));
  let durable = new Map(model);
  let underWay: Promise<void> = Promise.resolve();
  for (let step = 0; step < 300; step++) {
    const dice = random();
    if (dice < 0.1) {
      // A commit that is under way comes a little further.
      for (let turn = below(6); turn > 0; turn--) await Promise.resolve();
    } else if (dice < 0.6) {
      const draft = new Map(model);
      const fails = random() < 0.2;
      const run = () =>
        engine.transaction(() => {
          for (let n = below(8); n >= 0; n--) {
            const key = `k${below(60)}`;
            if (random() < 0.4) {
              engine.remove(key);
              draft.delete(key);
            } else {
              engine.put(key, bytes(`${step}.${n}`));
              draft.set(key, `${step}.${n}`);
            }
            assert.equal(text(engine.get(key)), draft.get(key));
          }
          if (fails) throw new RangeError('on purpose');
        });
      if (fails) assert.throws(run, RangeError);
      else {
        run();
        model = draft;
      }
    } else if (dice < 0.7) {
      // Left under way, so that later steps see three layers.
      underWay = engine.commit();
    } else if (dice < 0.78) {
      await engine.commit();
      durable = new Map(model);
    } else if (dice < 0.82) {
      await underWay;
      await engine.commit();
      durable = new Map(model);
      put(engine, { lost: 'x' });
      await place.crash();
      engine = await openEngine(place);
      model = new Map(durable);
    } else {
      const from = `k${below(60)}`;
      const to = `k${below(60)}`;
      const limit = 1 + below(20);
      const expected = [...model].filter(([key]) => key >= from && key < to).sort(([a], [b]) => (a < b ? -1 : 1));
      assert.deepEqual(
        engine.scan(from, to, limit).map(({ key, value }) => [key, text(value)]),
        expected.slice(0, limit),
        `seed ${seed}, step ${step}`,
      );
    }
  }
  assert.deepEqual(contents(engine), Object.fromEntries(model), `seed ${seed}`);
  await engine.close();
}

async function openEngine(place: Place): Promise<Engine> {
  return new Engine(await place.factory('', new TestRuntime()));
}

function put(engine: Engine, rows: Record<string, string>): void {
  engine.transaction(() => {
    for (const [key, value] of Object.entries(rows)) engine.put(key, bytes(value));
  });
}

function keysOf(engine: Engine): string[] {
  return engine.scan('', END, ALL).map(({ key }) => key);
}

function contents(engine: Engine): Record<string, string | undefined> {
  return Object.fromEntries(engine.scan('', END, ALL).map(({ key, value }) => [key, text(value)]));
}

function bytes(value: string): Uint8Array {
  return Buffer.from(value, 'latin1');
}

function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString('latin1');
}
