// What is learnt from the metaserver's answers, and when: over a metaserver that
// answers when the test says so.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { KnownRows } from '../../../src/mediator/early/known-rows.js';
import { Learning } from '../../../src/mediator/early/learning.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';

class Answers {
  readonly #waiting: ((answer: object) => void)[] = [];
  readonly metadata = {
    execute: () => new Promise((resolve) => this.#waiting.push(resolve)),
    query: () => new Promise((resolve) => this.#waiting.push(resolve)),
    sync: async () => ({}),
  } as unknown as MetadataService;

  /** The oldest call that waits gets its answer. */
  give(answer: object = {}): void {
    this.#waiting.shift()?.(answer);
  }
}

describe('what is learnt from the metaserver', () => {
  it('is waited for until the commands have ended that were under way then, whatever comes after', async () => {
    const answers = new Answers();
    const learning = new Learning(new KnownRows(), answers.metadata);
    const purge = (inode: number) =>
      learning.execute({ name: 'purge', timeNs: 1n, request: { inode }, durable: false });
    const first = purge(5);
    let isSettled = false;
    const settled = learning.settled().then(() => {
      isSettled = true;
    });
    const second = purge(6);
    answers.give();
    await first;
    await new Promise(setImmediate);
    assert.ok(isSettled);
    answers.give();
    await Promise.all([second, settled, learning.settled()]);
  });
});
