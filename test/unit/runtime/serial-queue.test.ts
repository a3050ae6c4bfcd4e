import assert from 'node:assert/strict';
import { SerialQueue } from '../../../src/runtime/serial-queue.js';

describe('a serial queue', () => {
  it('runs actions one after the other, and answers what each answers', async () => {
    const queue = new SerialQueue();
    const steps: string[] = [];
    const action = (name: string) => async () => {
      steps.push(`${name} begins`);
      await Promise.resolve();
      steps.push(`${name} ends`);
      return name;
    };
    const answers = await Promise.all([queue.run(action('one')), queue.run(action('two'))]);
    assert.deepEqual(answers, ['one', 'two']);
    assert.deepEqual(steps, ['one begins', 'one ends', 'two begins', 'two ends']);
  });

  it('fails the caller of an action that failed, and runs the next', async () => {
    const queue = new SerialQueue();
    const failed = queue.run(() => Promise.reject(new Error('no')));
    const next = queue.run(async () => 'next');
    await assert.rejects(failed, /no/);
    assert.equal(await next, 'next');
  });

  it('is idle when all actions so far have ended, whatever came of them', async () => {
    const queue = new SerialQueue();
    let hasEnded = false;
    const failed = queue.run(async () => {
      await Promise.resolve();
      hasEnded = true;
      throw new Error('no');
    });
    const idle = queue.idle();
    await assert.rejects(failed);
    await idle;
    assert.equal(hasEnded, true);
  });
});
