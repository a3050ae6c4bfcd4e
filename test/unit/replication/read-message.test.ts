// What other members send is checked before a core sees it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { readMark, readMessage } from '../../../src/replication/link/read-message.js';

const ENVELOPE = { from: 'a', to: 'b', term: 3 };
const DATA = { kind: 'data', data: Buffer.from('x'), bytes: 1 };
const MEMBERS = { voters: ['a', 'b'], learners: [] };
const APPEND = { kind: 'append', ...ENVELOPE, previousIndex: 4, previousTerm: 2, committed: 4 };
const entry = (index: number, content: object = DATA) => ({ index, term: 3, content });

describe('a message of another member', () => {
  const good: Record<string, object> = {
    'an append': {
      ...APPEND,
      entries: [entry(5), entry(6, { kind: 'nothing' }), entry(7, { kind: 'members', members: MEMBERS })],
    },
    'an append without entries': { ...APPEND, entries: [] },
    'a vote': { kind: 'vote', ...ENVELOPE, isTrial: false, isGranted: true },
    'a heartbeat': { kind: 'heartbeat', ...ENVELOPE, committed: 1, round: 2 },
    'a view change': { kind: 'startViewChange', ...ENVELOPE, primary: 'c', released: 0 },
  };
  for (const [name, message] of Object.entries(good)) {
    it(`passes: ${name}`, () => assert.deepEqual(readMessage(message), message));
  }

  const bad: Record<string, unknown> = {
    'no object': 'append',
    null: null,
    'of an unknown kind': { kind: 'elect', ...ENVELOPE },
    'named like a method of all objects': { kind: 'toString', ...ENVELOPE },
    'without a sender': { kind: 'takeOver', to: 'b', term: 3 },
    'of a negative term': { kind: 'takeOver', ...ENVELOPE, term: -1 },
    'of a term that is no number': { kind: 'takeOver', ...ENVELOPE, term: '3' },
    'a vote without its answer': { kind: 'vote', ...ENVELOPE, isTrial: false },
    'an append whose entries leave a gap': { ...APPEND, entries: [entry(5), entry(7)] },
    'an append whose entries do not follow': { ...APPEND, entries: [entry(6)] },
    'an append of no list': { ...APPEND, entries: {} },
    'an entry without content': { ...APPEND, entries: [{ index: 5, term: 3 }] },
    'an entry of no bytes': { ...APPEND, entries: [entry(5, { kind: 'data', data: 'x', bytes: 1 })] },
    'an entry of members that are no names': {
      ...APPEND,
      entries: [entry(5, { kind: 'members', members: { voters: [1], learners: [] } })],
    },
    'an answer without a hint': { kind: 'appended', ...ENVELOPE, isMatch: true, index: 3, hint: null },
  };
  for (const [name, message] of Object.entries(bad)) {
    it(`is refused: ${name}`, () => assert.throws(() => readMessage(message), { code: 'MALFORMED' }));
  }

  it('may stand for a state, whose mark is checked too', () => {
    const mark = { index: 1, term: 1, members: MEMBERS };
    assert.deepEqual(readMark({ ...mark, more: 1 }), mark);
    for (const wrong of [null, {}, { ...mark, index: 0.5 }, { ...mark, members: { voters: 'a', learners: [] } }]) {
      assert.throws(() => readMark(wrong), { code: 'MALFORMED' });
    }
  });
});
