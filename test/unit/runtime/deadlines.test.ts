// Many deadlines on one timer: each is met or cancelled by itself.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Timer } from '../../../src/runtime/clock.js';
import { Deadlines } from '../../../src/runtime/deadlines.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('deadlines', () => {
  it('pass when they are due, and once', async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const passed: string[] = [];
    deadlines.after(20, () => passed.push('twenty'));
    deadlines.after(10, () => passed.push('ten'));
    await clock.advance(9.5);
    assert.deepEqual(passed, []);
    await clock.advance(0.5);
    assert.deepEqual(passed, ['ten']);
    await clock.advance(100);
    assert.deepEqual(passed, ['ten', 'twenty']);
    assert.equal(clock.pending, 0);
  });

  it('need one timer, however many come and go', async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    for (let call = 0; call < 100; call++) {
      deadlines.after(50, () => assert.fail('it was cancelled')).cancel();
      assert.equal(clock.pending, 1);
      await clock.advance(0.25);
    }
    await clock.advance(50);
    assert.equal(clock.pending, 0, 'none when nothing is pending');
  });

  it('may be cancelled twice, late, and by one another', async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const passed: string[] = [];
    const later: Timer[] = [];
    const first = deadlines.after(5, () => {
      passed.push('first');
      for (const timer of later) timer.cancel();
      deadlines.after(1, () => passed.push('third'));
    });
    later.push(deadlines.after(5, () => passed.push('second')));
    await clock.advance(5);
    first.cancel();
    first.cancel();
    await clock.advance(1);
    assert.deepEqual(passed, ['first', 'third']);
  });

  it('pass on a clock that rounds', async () => {
    class RoundingClock extends ManualClock {
      override after(delayMs: number, action: () => void): Timer {
        return super.after(Math.floor(delayMs * 1000) / 1000, action);
      }
    }
    const clock = new RoundingClock();
    const deadlines = new Deadlines(clock);
    const passed: number[] = [];
    for (const delayMs of [10.0004, 10.0005, 20]) deadlines.after(delayMs, () => passed.push(delayMs));
    await clock.advance(11);
    assert.deepEqual(passed, [10.0004, 10.0005]);
    await clock.advance(10);
    assert.deepEqual(passed, [10.0004, 10.0005, 20]);
  });

  it('pass although one before them fails, whose failure is not lost', async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const passed: string[] = [];
    deadlines.after(5, () => {
      throw new Error('the first');
    });
    deadlines.after(5, () => passed.push('the second'));
    await assert.rejects(clock.advance(5), /the first/);
    assert.deepEqual(passed, ['the second']);
  });

  it('do not pass after the end', async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    deadlines.after(5, () => assert.fail('closed'));
    deadlines.close();
    deadlines.after(1, () => assert.fail('closed'));
    assert.equal(clock.pending, 0);
    await clock.advance(10);
  });

  it('are what as many timers would be', async () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 8 }),
      delayMs: fc.integer({ min: 0, max: 20 }),
      cancels: fc.option(fc.nat(30), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const clock = new ManualClock();
        const deadlines = new Deadlines(clock);
        const seen = { timers: [] as string[], deadlines: [] as string[] };
        const cancels: (() => void)[] = [];
        for (const [number, { waitMs, delayMs, cancels: which }] of steps.entries()) {
          const timer = clock.after(delayMs, () => seen.timers.push(`${number} at ${clock.monotonicMs()}`));
          const deadline = deadlines.after(delayMs, () => seen.deadlines.push(`${number} at ${clock.monotonicMs()}`));
          cancels.push(() => {
            timer.cancel();
            deadline.cancel();
          });
          if (which !== undefined) cancels[which]?.();
          await clock.advance(waitMs);
        }
        await clock.advance(100);
        assert.deepEqual(seen.deadlines.toSorted(), seen.timers.toSorted());
        assert.equal(clock.pending, 0);
      }),
    );
  });
});
