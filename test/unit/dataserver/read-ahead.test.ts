import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { READ_AHEAD_LIFE_MS } from '../../../src/dataserver/limits.js';
import { ReadAhead } from '../../../src/dataserver/reading/read-ahead.js';
import { ManualClock } from '../../support/manual-clock.js';

const stretch = (from: number, to: number, segment = 1) => ({ segment, from, to });

function openReadAhead() {
  const clock = new ManualClock();
  const freed: Buffer[] = [];
  const ahead = new ReadAhead(clock, (memory) => freed.push(memory));
  const begin = (from: number, to: number) => {
    const loaded = { from, memory: Buffer.alloc(1) };
    ahead.begin(stretch(from, to), async () => loaded);
    return loaded;
  };
  return { clock, freed, ahead, begin };
}

describe('read-ahead behind direct reads', () => {
  it('knows which read follows the last', () => {
    const { ahead } = openReadAhead();
    assert.equal(ahead.follows(stretch(0, 100)), false);
    assert.equal(ahead.follows(stretch(100, 200)), true);
    assert.equal(ahead.follows(stretch(210, 300)), true);
    assert.equal(ahead.follows(stretch(300, 400, 2)), false);
    assert.equal(ahead.follows(stretch(399, 500, 2)), false);
    assert.equal(ahead.follows(stretch(10_000_000, 10_000_100, 2)), false);
  });

  it('gives what it has once, to whom it is enough for', async () => {
    const { ahead, begin } = openReadAhead();
    const loaded = begin(100, 200);
    assert.equal(await ahead.take(stretch(90, 150)), undefined);
    assert.equal(await ahead.take(stretch(150, 201)), undefined);
    assert.equal(await ahead.take(stretch(100, 200, 2)), undefined);
    assert.equal(await ahead.take(stretch(110, 200)), loaded);
    assert.equal(await ahead.take(stretch(110, 200)), undefined);
  });

  it('gives nothing that was read long ago, and takes its memory back', async () => {
    const { clock, freed, ahead, begin } = openReadAhead();
    const old = begin(100, 200);
    await Promise.resolve();
    await clock.advance(READ_AHEAD_LIFE_MS + 1);
    assert.equal(await ahead.take(stretch(100, 200)), undefined);
    const fresh = begin(300, 400);
    await clock.advance(READ_AHEAD_LIFE_MS);
    assert.deepEqual(freed, [old.memory]);
    assert.equal(await ahead.take(stretch(300, 400)), fresh);
  });

  it('gives what is still being read, however slow the disk is', async () => {
    const { clock, ahead } = openReadAhead();
    const loaded = { from: 0, memory: Buffer.alloc(1) };
    let arrive = () => {};
    ahead.begin(stretch(0, 100), async () => {
      await new Promise<void>((resolve) => {
        arrive = resolve;
      });
      return loaded;
    });
    await clock.advance(2 * READ_AHEAD_LIFE_MS);
    const taken = ahead.take(stretch(0, 100));
    arrive();
    assert.equal(await taken, loaded);
  });

  it('has nothing when reading failed', async () => {
    const { freed, ahead } = openReadAhead();
    ahead.begin(stretch(0, 100), async () => undefined);
    assert.equal(await ahead.take(stretch(0, 100)), undefined);
    ahead.begin(stretch(0, 100), async () => undefined);
    ahead.begin(stretch(100, 200), async () => undefined);
    await Promise.resolve();
    assert.deepEqual(freed, []);
  });
});
