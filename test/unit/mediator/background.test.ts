import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Background, type NextRunMs } from '../../../src/mediator/upkeep/background.js';
import { testRuntime } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';

function start(next: NextRunMs) {
  const clock = new ManualClock();
  const runs: number[] = [];
  const task = new Background(
    'test',
    async () => {
      runs.push(clock.monotonicMs());
      return next;
    },
    { ...testRuntime([]), clock },
  );
  return { clock, runs, task };
}

describe('a background task', () => {
  it('runs again after the pause that it asked for', async () => {
    const { clock, runs, task } = start(30_000);
    task.wake();
    await clock.advance(0);
    await clock.advance(29_999);
    await clock.advance(1);
    assert.deepEqual(runs, [0, 30_000]);
  });

  it('is woken before the end of a long pause', async () => {
    const { clock, runs, task } = start(30_000);
    task.wake();
    await clock.advance(0);
    task.wake(250);
    await clock.advance(250);
    assert.deepEqual(runs, [0, 250]);
  });

  it('is woken by what happens while it runs, as soon as that asks for', async () => {
    const clock = new ManualClock();
    const runs: number[] = [];
    const task: Background = new Background(
      'test',
      async () => {
        runs.push(clock.monotonicMs());
        if (runs.length > 1) return null;
        task.wake(5000);
        task.wake(1000);
        return 30_000;
      },
      { ...testRuntime([]), clock },
    );
    task.wake();
    await clock.advance(0);
    await clock.advance(999);
    assert.deepEqual(runs, [0]);
    await clock.advance(1);
    assert.deepEqual(runs, [0, 1000]);
  });

  it('is not put off by a later call that is in less of a hurry', async () => {
    const { clock, runs, task } = start(null);
    task.wake(100);
    await clock.advance(50);
    task.wake(100);
    await clock.advance(50);
    await clock.advance(50);
    assert.deepEqual(runs, [100]);
  });

  it("goes on after an error, and ends the process after a program's fault", async () => {
    const clock = new ManualClock();
    const errors = [new Error('the disk is slow'), new TypeError('a mistake')];
    let runs = 0;
    const run = async () => {
      const error = errors[runs++];
      if (error !== undefined) throw error;
      return null;
    };
    new Background('test', run, { ...testRuntime([]), clock }).wake();
    const unhandled = await unhandledRejections(async () => {
      await clock.advance(0);
      for (let seconds = 0; seconds < 10; seconds++) await clock.advance(1000);
    });
    assert.equal(runs, 2);
    assert.deepEqual(unhandled, [errors[1]]);
  });
});

/** What would have ended the process while `work` was done. */
async function unhandledRejections(work: () => Promise<void>): Promise<unknown[]> {
  const others = process.rawListeners('unhandledRejection') as NodeJS.UnhandledRejectionListener[];
  const seen: unknown[] = [];
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', (error) => seen.push(error));
  try {
    await work();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const other of others) process.on('unhandledRejection', other);
  }
  return seen;
}
