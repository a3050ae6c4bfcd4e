import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { within } from '../../../src/protocol/services/within.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('waiting for work of others', () => {
  const never = new Promise<never>(() => {});

  it('ends with what the work comes to, and leaves no timer behind', async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    assert.equal(await within(Promise.resolve(5), { deadlineMs: 10, signal }, clock, 'it'), 5);
    const failure = new Error('failed');
    await assert.rejects(within(Promise.reject(failure), { deadlineMs: 10 }, clock, 'it'), failure);
    assert.equal(await within(Promise.resolve(6), {}, clock, 'it'), 6);
    assert.equal(clock.pending, 0);
  });

  it('ends with the deadline, also one that has passed', async () => {
    const clock = new ManualClock();
    const waiting = [10, -1].map((deadlineMs) =>
      assert.rejects(within(never, { deadlineMs }, clock, 'it'), { code: 'DEADLINE' }),
    );
    await clock.advance(10);
    await Promise.all(waiting);
  });

  it('ends when its signal aborts, or has aborted', async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const given = { deadlineMs: 10, signal: abort.signal };
    const waiting = assert.rejects(within(never, given, clock, 'it'), { code: 'CANCELLED' });
    abort.abort();
    await waiting;
    await assert.rejects(within(never, given, clock, 'it'), { code: 'CANCELLED' });
    assert.equal(clock.pending, 0);
  });
});
