import assert from 'node:assert/strict';
import { ratesText, type TimedStatus } from '../../../../src/cli/watch/rates.js';
import type { ClusterStatus } from '../../../../src/protocol/services/admin.js';

function timed(atMs: number, counters: Record<string, number>, rebuilt?: number): TimedStatus {
  const rebuild = rebuilt === undefined ? {} : { rebuild: { done: rebuilt, total: 1000 } };
  const status = { counters, dataservers: [{ name: 'data2', ...rebuild }] };
  return { atMs, status: status as unknown as ClusterStatus };
}

describe('rates of a watched status', () => {
  it('are not known from one status', () => {
    assert.equal(ratesText(null, timed(0, { reads: 5 })), '');
  });

  it('are what was counted between two, a second', () => {
    const text = ratesText(
      timed(1000, { reads: 5, readBytes: 0 }),
      timed(3000, { reads: 45, readBytes: 4096, repairs: 1 }),
    );
    assert.equal(
      text,
      'reads 20/s (2 KiB/s)   writes 0/s   votes 0/s   dissents 0/s   repairs 0.5/s   no quorum 0/s   writes refused 0/s',
    );
  });

  it('say how long a rebuild takes', () => {
    const text = ratesText(timed(0, {}, 100), timed(1000, {}, 200));
    assert.equal(text.split('\n')[1], 'data2 is being rebuilt: 100 blocks a second, 8.0 s left');
  });

  it('are not known across a mediator that began anew', () => {
    assert.equal(ratesText(timed(0, { reads: 100 }), timed(1000, { reads: 3 })), '');
  });
});
