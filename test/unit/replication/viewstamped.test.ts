// Viewstamped replication, step by step: what a member says, and what it has stored before.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BLANK_HARD_STATE, type Entry, type StoredState } from '../../../src/replication/core/core.js';
import { LogShape } from '../../../src/replication/core/log-shape.js';
import type { ViewstampedMessage } from '../../../src/replication/core/viewstamped/messages.js';
import { NewLog, sendingPoint } from '../../../src/replication/core/viewstamped/new-log.js';
import { nextView, primaryOf } from '../../../src/replication/core/viewstamped/views.js';
import { Viewstamped } from '../../../src/replication/core/viewstamped/viewstamped.js';

const ELECTION_TICKS = 10;
const MEMBERS = { voters: ['a', 'b', 'c'], learners: [] };
const MARK = { index: 0, term: 0, members: MEMBERS };

function entry(index: number, term: number): Entry {
  return { index, term, content: { kind: 'data', data: `${index}/${term}`, bytes: 1 } };
}

/** Entries of these views, from index 1 on. */
function logOf(...terms: number[]): Entry[] {
  return terms.map((term, at) => entry(at + 1, term));
}

function shapeOf(...terms: number[]): LogShape {
  const shape = new LogShape(MARK);
  for (const each of logOf(...terms)) shape.put(each);
  return shape;
}

/** One member, whose messages the test writes and reads. */
class Lone {
  readonly core: Viewstamped;

  constructor(self: string, stored: Partial<StoredState> = {}) {
    const settings = { self, electionTicks: ELECTION_TICKS, heartbeatTicks: 2, maximumAppendBytes: 1000 };
    const blank = { hardState: BLANK_HARD_STATE, mark: MARK, entries: [], damagedUpTo: 0 };
    const limits = { maximumInFlight: 4, fraction: () => 0 };
    this.core = new Viewstamped({ ...settings, ...limits }, { ...blank, ...stored });
  }

  /** Long enough to lose patience. */
  wait(ticks = ELECTION_TICKS): void {
    for (let tick = 0; tick < ticks; tick++) this.core.tick();
  }

  hear(...messages: ViewstampedMessage[]): void {
    for (const message of messages) this.core.step(message);
  }

  /** What it sends without waiting for its disk, as KIND>TO. */
  now(): string[] {
    return this.core.takeSends().messages.map(({ kind, to }) => `${kind}>${to}`);
  }

  /** Its disk does all that it was asked for. @returns what is sent then, as KIND>TO */
  store(): string[] {
    const sent: string[] = [];
    for (let writes = this.core.takeWrites(); writes !== null; writes = this.core.takeWrites()) {
      this.core.stored();
      sent.push(...writes.afterwards.map(({ kind, to }) => `${kind}>${to}`));
    }
    return [...sent, ...this.now()];
  }
}

const to = { to: 'b' };
const silence = (from: string, term: number) => ({ kind: 'silence', from, ...to, term }) as const;
const heartbeat = (from: string, term: number) =>
  ({ kind: 'heartbeat', from, ...to, term, committed: 0, round: 1 }) as const;
const start = (from: string, term: number, primary: string, released = 0) =>
  ({ kind: 'startViewChange', from, ...to, term, primary, released }) as const;
const doChange = (from: string, term: number, lastIndex: number, lastTerm: number) =>
  ({ kind: 'doViewChange', from, ...to, term, lastIndex, lastTerm, committed: 0, released: 0 }) as const;

describe('viewstamped replication', () => {
  it('has the voters lead by turns: view mod n', () => {
    const primaries = [0, 1, 2, 3, 4].map((view) => primaryOf(view, MEMBERS));
    assert.deepEqual(primaries, ['a', 'b', 'c', 'a', 'b']);
  });

  it('goes on to the next view whose primary is fit', () => {
    assert.equal(
      nextView(3, MEMBERS, () => true),
      4,
    );
    assert.equal(
      nextView(3, MEMBERS, (voter) => voter === 'a'),
      6,
    );
  });

  it('lets a group of one lead as soon as its view is stored', () => {
    const lone = new Lone('a', { mark: { ...MARK, members: { voters: ['a'], learners: [] } } });
    assert.equal(lone.core.status.role, 'candidate');
    lone.store();
    assert.equal(lone.core.status.role, 'leader');
    assert.equal(lone.core.status.isServing, true);
  });

  it('changes no view without a quorum that is silent too', () => {
    const lone = new Lone('b');
    lone.wait(20 * ELECTION_TICKS);
    assert.deepEqual(new Set(lone.now()), new Set(['probe>a', 'probe>c']));
    assert.equal(lone.core.status.term, 0);
  });

  it('skips the views of those who did not answer', () => {
    const lone = new Lone('b');
    lone.wait();
    lone.hear(silence('c', 0));
    assert.equal(lone.core.status.term, 1, 'b leads view 1');
    const other = new Lone('c');
    other.wait();
    other.hear({ ...silence('a', 6), to: 'c' });
    assert.equal(other.core.status.term, 8, 'the view of b, which is silent to c too, is left out');
  });

  it('tells nobody of a view before it is stored', () => {
    const lone = new Lone('c');
    lone.wait();
    lone.now();
    lone.hear({ ...silence('b', 0), to: 'c' });
    assert.deepEqual(lone.now(), []);
    assert.deepEqual(new Set(lone.store()), new Set(['startViewChange>a', 'startViewChange>b', 'doViewChange>b']));
  });

  it('answers no probe and enters no view while it may be led', () => {
    const lone = new Lone('b');
    lone.wait(ELECTION_TICKS - 1);
    lone.hear(heartbeat('a', 3));
    lone.store();
    lone.wait(ELECTION_TICKS - 1);
    lone.hear({ kind: 'probe', from: 'c', to: 'b', term: 3 }, start('c', 5, 'c'));
    assert.deepEqual(lone.store(), []);
    assert.equal(lone.core.status.term, 3);
  });

  it('enters the view to which its primary hands over at once', () => {
    const lone = new Lone('b');
    lone.hear(heartbeat('a', 3));
    lone.store();
    lone.hear(start('a', 5, 'c', 3));
    assert.deepEqual(lone.store(), ['doViewChange>c']);
    // An earlier primary has nothing to say any more.
    lone.hear(heartbeat('c', 5), start('a', 7, 'b', 3));
    assert.equal(lone.core.status.term, 5);
  });

  it('does not help to change the view while it may lack what it had acknowledged', () => {
    const lone = new Lone('b', { entries: logOf(1, 1), damagedUpTo: 3 });
    lone.wait(3 * ELECTION_TICKS);
    lone.hear({ kind: 'probe', from: 'c', to: 'b', term: 1 }, start('c', 2, 'c'));
    assert.deepEqual(lone.store(), []);
    const append = { kind: 'append', from: 'a', to: 'b', term: 3, previousIndex: 2, previousTerm: 1 } as const;
    lone.hear({ ...append, committed: 3, entries: [entry(3, 1)] });
    lone.store();
    lone.wait();
    lone.hear({ kind: 'probe', from: 'c', to: 'b', term: 3 });
    assert.ok(lone.store().includes('silence>c'));
  });

  it('answers for one primary in a view only, also after a restart', () => {
    const lone = new Lone('b', { hardState: { term: 5, vote: 'c' } });
    lone.wait();
    lone.store();
    lone.hear(start('a', 5, 'a'));
    assert.deepEqual(lone.store(), []);
  });

  it('does not lead a view again after a restart', () => {
    const lone = new Lone('b', { hardState: { term: 4, vote: 'b' } });
    lone.wait();
    lone.hear(doChange('a', 4, 0, 0), doChange('c', 4, 0, 0));
    lone.store();
    assert.notEqual(lone.core.status.role, 'leader');
  });

  it('leads with the best log of a quorum, and keeps its own until it has verified the other', () => {
    const lone = new Lone('b', { hardState: { term: 1, vote: null }, entries: logOf(1, 1, 1) });
    lone.wait();
    lone.hear(doChange('c', 4, 3, 2));
    lone.store();
    assert.equal(lone.core.status.role, 'candidate');
    const fetched = { kind: 'fetched', from: 'c', to: 'b', term: 4 } as const;
    lone.hear({ ...fetched, previousIndex: 2, previousTerm: 2, entries: [entry(3, 2)] });
    assert.equal(lone.core.status.lastIndex, 3);
    assert.equal(lone.core.unstored(3), undefined, 'nothing is replaced behind an entry that differs');
    assert.deepEqual(lone.now().at(-1), 'fetch>c');
    lone.hear({ ...fetched, previousIndex: 1, previousTerm: 1, entries: [entry(2, 2), entry(3, 2)] });
    assert.equal(lone.core.status.role, 'candidate', 'the new log is not on the disk yet');
    assert.ok(lone.store().includes('heartbeat>c'));
    assert.equal(lone.core.status.role, 'leader');
    assert.equal(lone.core.status.lastIndex, 4, 'its first entry follows the other log');
  });

  it('counts who has answered once', () => {
    const log = shapeOf(1);
    const newLog = new NewLog('b', log);
    assert.equal(newLog.hasQuorum, false);
    newLog.answered(doChange('d', 4, 0, 0));
    newLog.answered(doChange('d', 4, 0, 0));
    assert.equal(newLog.hasQuorum, false, 'd is no voter');
    newLog.answered(doChange('c', 4, 0, 0));
    assert.equal(newLog.hasQuorum, true);
  });

  it('takes the log of the latest view, and of these the longest', () => {
    const table: [answers: [string, number, number][], from: string | null][] = [
      [[['a', 3, 1]], null],
      [[['a', 4, 1]], 'a'],
      [
        [
          ['a', 9, 1],
          ['c', 1, 2],
        ],
        'c',
      ],
      [
        [
          ['a', 5, 2],
          ['c', 4, 2],
        ],
        'a',
      ],
    ];
    for (const [answers, from] of table) {
      const newLog = new NewLog('b', shapeOf(1, 1, 1));
      for (const [member, lastIndex, lastTerm] of answers) newLog.answered(doChange(member, 4, lastIndex, lastTerm));
      assert.equal(newLog.fetching?.from ?? null, from);
    }
  });

  it('sends from where both logs may be the same, or the state', () => {
    const log = shapeOf(1, 1, 2, 2, 5);
    log.compact(2);
    const table: [wanted: [number, number], from: [number, number] | null][] = [
      [
        [4, 2],
        [4, 2],
      ],
      [
        [5, 3],
        [4, 2],
      ],
      [
        [4, 1],
        [2, 1],
      ],
      [
        [2, 1],
        [2, 1],
      ],
      [[1, 1], null],
      [[2, 0], null],
    ];
    for (const [[index, term], from] of table) {
      const point = sendingPoint(log, { index, term });
      assert.deepEqual(point === null ? null : [point.index, point.term], from, `${index}/${term}`);
    }
  });

  it('sends the state to who lacks what is compacted, also of the view with which the log begins now', () => {
    const log = shapeOf(1, 1, 1, 1);
    log.compact(3);
    assert.deepEqual(log.lastUpTo(1, 1), { index: 3, term: 1 });
    assert.equal(sendingPoint(log, { index: 2, term: 1 }), null);
  });
});
