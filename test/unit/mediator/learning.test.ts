// What is learnt from the metaserver's answers, and when: over a metaserver that
// answers when the test says so.
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, it } from 'mocha';
import { KnownRows, UNKNOWN } from '../../../src/mediator/early/known-rows.js';
import { Learning } from '../../../src/mediator/early/learning.js';
import type { Attributes } from '../../../src/protocol/services/files.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import { eventually } from '../../support/fake-cluster.js';

const FILE: Attributes = {
  ...{ inode: 5, kind: 'file', mode: 0o644, links: 2, uid: 0, gid: 0, device: 0, blockSizeBytes: 4096, revision: 3 },
  ...{ sizeBytes: 0, allocatedBytes: 0, accessTimeNs: 1n, modifyTimeNs: 1n, changeTimeNs: 1n, extendedAttributes: 0 },
};

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

  /** The youngest one. */
  giveLast(answer: object): void {
    this.#waiting.pop()?.(answer);
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

  it('is nothing any more after the removal of a name of which it is not known what it stands for', async () => {
    const answers = new Answers();
    const rows = new KnownRows();
    rows.isInUse = true;
    const learning = new Learning(rows, answers.metadata);
    const chmod = () => {
      const request = { inode: 5, changes: { mode: 0o600 }, caller: { uid: 0, gid: 0 } };
      return rows.run({ name: 'setattr', timeNs: 9n, request });
    };
    const asked = learning.query({ name: 'attributes', request: { inode: 5 } });
    answers.give(FILE);
    await asked;
    chmod();
    const request = { parent: 1, name: 'a', held: [] };
    const removed = learning.execute({ name: 'unlink', timeNs: 10n, request, durable: false });
    assert.throws(chmod, UNKNOWN);
    answers.give({ inode: 5, links: 1, changed: [] });
    await removed;
    assert.throws(chmod, UNKNOWN);
  });

  it('is no access time from before a read', async () => {
    const answers = new Answers();
    const rows = new KnownRows();
    rows.isInUse = true;
    const learning = new Learning(rows, answers.metadata);
    const setattr = (changes: { accessed: true } | { mode: number }) => {
      const request = { inode: 5, changes, caller: { uid: 0, gid: 0 } };
      return rows.run<'setattr'>({ name: 'setattr', timeNs: 9n, request }).result.attributes;
    };
    const ask = () => learning.query({ name: 'attributes', request: { inode: 5 } });
    const asked = [ask(), ask()];
    answers.give(FILE);
    await asked[0];
    setattr({ accessed: true });
    answers.give(FILE);
    await asked[1];
    assert.equal(setattr({ mode: 0o600 }).accessTimeNs, 9n);
  });

  it('is that a file has a name once it has got one', async () => {
    const answers = new Answers();
    const rows = new KnownRows();
    rows.isInUse = true;
    const learning = new Learning(rows, answers.metadata);
    const asked = learning.query({ name: 'inode', request: { inode: 5 } });
    answers.give({ attributes: { ...FILE, links: 0, revision: 1 }, parent: 0, children: 0, state: 'unnamed' });
    await asked;
    const linked = learning.execute({
      ...{ name: 'link', timeNs: 2n, durable: false },
      request: { inode: 5, parent: 1, name: 'a' },
    });
    answers.give({ attributes: { ...FILE, links: 1, revision: 2 }, changed: [] });
    await linked;
    const root = { ...FILE, inode: 1, kind: 'directory' };
    const both = [
      learning.query({ name: 'inode', request: { inode: 1 } }),
      learning.query({ name: 'lookup', request: { parent: 1, name: 'a' } }),
    ];
    answers.give({ attributes: root, parent: 0, children: 1, nextCookie: 4, state: 'named' });
    answers.give({ ...FILE, links: 1, revision: 2 });
    await Promise.all(both);
    rows.run({ name: 'unlink', timeNs: 3n, request: { parent: 1, name: 'a', held: [5] } });
    const again = { inode: 5, parent: 1, name: 'a' };
    assert.throws(() => rows.run({ name: 'link', timeNs: 4n, request: again }), { code: 'ENOENT' });
  });

  it('is nothing of a file without names from before a change that was answered sooner', async () => {
    const answers = new Answers();
    const rows = new KnownRows();
    rows.isInUse = true;
    const learning = new Learning(rows, answers.metadata);
    const nameless = { ...FILE, links: 0 };
    const asked = learning.query({ name: 'inode', request: { inode: 5 } });
    const changed = learning.execute({
      ...{ name: 'setattr', timeNs: 2n, durable: false },
      request: { inode: 5, changes: { mode: 0o600 }, caller: { uid: 0, gid: 0 } },
    });
    answers.giveLast({ attributes: { ...nameless, mode: 0o600, revision: 4 } });
    await changed;
    answers.give({ attributes: nameless, parent: 0, children: 0, nextCookie: 0, state: 'unnamed' });
    await asked;
    assert.throws(() => rows.attributes(5), UNKNOWN);
  });

  it('is nothing of a file that gets a name while another command changes the directory', async () => {
    const answers = new Answers();
    const rows = new KnownRows();
    rows.isInUse = true;
    const learning = new Learning(rows, answers.metadata);
    const asked = learning.query({ name: 'attributes', request: { inode: 5 } });
    answers.give(FILE);
    await asked;
    const link = (name: string, inode: number) =>
      learning.execute({ name: 'link', timeNs: 2n, request: { inode, parent: 1, name }, durable: false });
    const both = [link('a', 6), link('b', 5)];
    answers.give({ attributes: { ...FILE, inode: 6 }, changed: [] });
    answers.give({ attributes: { ...FILE, links: 3, revision: 4 }, changed: [] });
    await Promise.all(both);
    const request = { inode: 5, changes: { mode: 0o600 }, caller: { uid: 0, gid: 0 } };
    assert.throws(() => rows.run({ name: 'setattr', timeNs: 9n, request }), UNKNOWN);
  });

  it('takes no more memory than its rows', async () => {
    const rows = new KnownRows();
    rows.isInUse = true;
    const attributes: Attributes = { ...FILE, inode: 1, kind: 'directory' };
    rows.learn({ attributes, parent: 0, children: 0, nextCookie: 3, state: 'named' }, rows.look());
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    const before = process.memoryUsage().arrayBuffers;
    for (let inode = 2; inode < 3000; inode++) {
      rows.free(inode);
      const caller = { uid: 0, gid: 0 };
      const what = { kind: 'fifo', mode: 0o644, device: 0, target: '', exclusive: true, blockSizeBytes: 4096 } as const;
      const made = { parent: 1, name: `${inode}`, ...what, caller, inode };
      rows.run({ name: 'make', timeNs: 9n, request: made });
      // Rows that take the place of others, and are short-lived.
      const request = { inode: 1, changes: { mode: 0o755 }, caller };
      for (let more = 0; more < 60; more++) rows.run({ name: 'setattr', timeNs: 9n, request });
    }
    // V8 gives buffers back some time after it has collected them.
    await eventually(() => {
      collect();
      return process.memoryUsage().arrayBuffers - before < 4e6;
    });
    assert.equal(rows.size, 5998);
  });
});
