import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Segments } from '../../../src/dataserver/log/segments.js';
import { CacheGuess } from '../../../src/dataserver/reading/cache-guess.js';
import { silentLog } from '../../../src/runtime/log.js';
import { Pacer } from '../../../src/runtime/pacer.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryDisk } from '../../support/memory-disk.js';

const PART_BYTES = 4096;

/** Two segments of four parts each, none of them in the cache. */
async function openGuess() {
  const disk = new MemoryDisk();
  const segments = new Segments(disk, '/segments', silentLog);
  for (const number of [1, 2]) {
    const file = await segments.create(number);
    await file.write([Buffer.alloc(4 * PART_BYTES)], 0);
    segments.setSize(number, 4 * PART_BYTES);
    await file.close();
  }
  disk.dropCaches();
  let nowMs = 0;
  const clock = Object.assign(new ManualClock(), { monotonicMs: () => nowMs });
  const pacer = new Pacer(clock);
  const guess = new CacheGuess(segments, pacer, PART_BYTES);
  const slowDown = () => pacer.runNow(0, () => (nowMs += 10_000));
  const recover = () => {
    while (!pacer.isQuick) pacer.runNow(0, () => {});
  };
  const part = (segment: number, first: number, end = first + 1) =>
    guess.isForDirect(segment, first * PART_BYTES, end * PART_BYTES);
  return { disk, segments, guess, slowDown, recover, part };
}

describe('the guess of what is in the page cache', () => {
  it('does not ask a slow disk: what nobody has read is outside, what was read twice is not', async () => {
    const { disk, slowDown, recover, part } = await openGuess();
    slowDown();
    assert.deepEqual([await part(1, 0), await part(1, 0), await part(1, 0)], [true, false, false]);
    assert.equal(disk.probes, 0);
    recover();
    // The disk is asked again, and says that what was to fill the cache has not.
    assert.equal(await part(1, 0), true);
    assert.equal(disk.probes, 1);
  });

  it('knows what it expects without asking', async () => {
    const { disk, guess, part } = await openGuess();
    const expects = (first: number) => guess.expectsDirect(1, first * PART_BYTES, (first + 1) * PART_BYTES);
    assert.equal(expects(1), false);
    await part(1, 0);
    assert.deepEqual([expects(0), expects(1)], [false, true]);
    assert.equal(guess.expectsDirect(2, 0, PART_BYTES), false);
    assert.equal(disk.probes, 1);
  });

  it('takes what was appended, and the part that it was appended to, to be in the cache', async () => {
    const { segments, part } = await openGuess();
    segments.setSize(1, 3.75 * PART_BYTES);
    assert.equal(await part(1, 0), true);
    segments.setSize(1, 6 * PART_BYTES);
    assert.deepEqual([await part(1, 2), await part(1, 2)], [false, true]);
    const file = await segments.openToAppend(1);
    file.isCached(3 * PART_BYTES);
    await file.close();
    assert.equal(await part(1, 3), false);
  });

  it('forgets segments that are gone', async () => {
    const { segments, guess, part } = await openGuess();
    assert.deepEqual([await part(1, 0), await part(2, 0)], [true, true]);
    await segments.remove(1);
    await assert.rejects(part(3, 0), { code: 'ENOENT' });
    assert.equal(await part(2, 1, 4), true);
    assert.equal(guess.expectsDirect(1, PART_BYTES, 2 * PART_BYTES), false);
  });
});
