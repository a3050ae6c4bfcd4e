// Percentiles of what was noted since they were taken last.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Durations } from '../../../src/mediator/durations.js';

function assertNear(found: number | null, expected: number): void {
  assert.ok(found !== null && Math.abs(found - expected) <= expected * 0.06, `${found} for ${expected}`);
}

describe('durations', () => {
  it('have percentiles that are right within six percent', () => {
    const durations = new Durations();
    for (let ms = 1; ms <= 1000; ms++) durations.note(ms);
    const { p50, p99 } = durations.take();
    assertNear(p50, 500);
    assertNear(p99, 990);
  });

  it('begin anew when they are taken, and have none without any', () => {
    const durations = new Durations();
    durations.note(3);
    durations.take();
    assert.deepEqual(durations.take(), { p50: null, p99: null });
  });

  it('hold what is shorter or longer than anything', () => {
    const durations = new Durations();
    for (const ms of [0, 0.0001, 1e12]) durations.note(ms);
    const { p50, p99 } = durations.take();
    assert.ok(p50 !== null && p50 < 0.02);
    assert.ok(p99 !== null && p99 > 100_000);
  });
});
