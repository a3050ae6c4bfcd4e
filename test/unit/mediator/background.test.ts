import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Background, type NextRunMs } from '../../../src/mediator/background.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { testRuntime } from '../../support/fake-cluster.js';

/** A clock that is turned by hand. */
class HandClock {
  nowMs = 0;
  #timers: { dueMs: number; action: () => void }[] = [];

  readonly runtime: Runtime = {
    ...testRuntime([]),
    clock: {
      nowNs: () => 0n,
      monotonicMs: () => this.nowMs,
      after: (delayMs, action) => {
        const timer = { dueMs: this.nowMs + delayMs, action };
        this.#timers.push(timer);
        return {
          cancel: () => {
            this.#timers = this.#timers.filter((other) => other !== timer);
          },
        };
      },
    },
  };

  async turn(ms: number): Promise<void> {
    this.nowMs += ms;
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.nowMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { action } of due) action();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function start(next: NextRunMs) {
  const clock = new HandClock();
  const runs: number[] = [];
  const task = new Background(
    'test',
    async () => {
      runs.push(clock.nowMs);
      return next;
    },
    clock.runtime,
  );
  return { clock, runs, task };
}

describe('a background task', () => {
  it('runs again after the pause that it asked for', async () => {
    const { clock, runs, task } = start(30_000);
    task.wake();
    await clock.turn(0);
    await clock.turn(29_999);
    await clock.turn(1);
    assert.deepEqual(runs, [0, 30_000]);
  });

  it('is woken before the end of a long pause', async () => {
    const { clock, runs, task } = start(30_000);
    task.wake();
    await clock.turn(0);
    task.wake(250);
    await clock.turn(250);
    assert.deepEqual(runs, [0, 250]);
  });

  it('is not put off by a later call that is in less of a hurry', async () => {
    const { clock, runs, task } = start(null);
    task.wake(100);
    await clock.turn(50);
    task.wake(100);
    await clock.turn(50);
    await clock.turn(50);
    assert.deepEqual(runs, [100]);
  });
});
