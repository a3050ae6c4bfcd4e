// The trace: one readable line for each message, with what changed.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { CallRecording } from '../../../src/catalog/trace/call-recording.js';
import { Trace } from '../../../src/catalog/trace/trace.js';
import { WatchedCalls } from '../../../src/catalog/trace/watched-calls.js';
import { brief } from '../../../src/recording/brief.js';
import { RecordingReader } from '../../../src/recording/reader.js';
import { headline } from '../../../src/recording/sentences.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('the trace of a catalog', () => {
  for (const [value, text] of [
    [{ kind: 'heartbeat', from: 'a', term: 2 }, 'heartbeat{from "a", term 2}'],
    [[1, 2, 3, 4, 5, 6, 7, 8], '[1, 2, 3, 4, 5, 6, … 2 more]'],
    [Buffer.from('text'), '"text"'],
    [Buffer.from([0, 1, 255]), '3 bytes'],
    ['two\nlines', '"two\\nlines"'],
    [{}, '{}'],
    [null, 'null'],
  ] as const) {
    it(`says ${text}`, () => {
      assert.equal(brief(value), text);
    });
  }

  it('tells of calls, answers, failures and changes', async () => {
    const lines: string[] = [];
    let term = 1;
    const trace = new Trace({
      say: (line) => lines.push(line),
      facts: () => ({ term }),
      clock: new ManualClock(),
      name: 'a',
    });
    const { group } = new WatchedCalls([trace]).services({
      group: {
        async send() {
          term = 2;
          return { messages: [] };
        },
        async fail() {
          throw new Error('in vain');
        },
      },
    }) as { group: Record<string, (request: object) => Promise<object>> };
    await group?.send?.({ messages: [{ kind: 'heartbeat' }] });
    await assert.rejects(group?.fail?.({}) ?? Promise.resolve());
    assert.deepEqual(
      lines.map((line) => line.trim()),
      [
        '0.000 a → server group.send {messages [heartbeat{}]}',
        '0.000 a ← server group.send: {messages []}   [term 1 → 2]',
        '0.000 a → server group.fail {}',
        '0.000 a ← server group.fail: failed: in vain',
      ],
    );
  });

  it('names the server that asks, once it has said who it is', async () => {
    const lines: string[] = [];
    const trace = new Trace({
      say: (line) => lines.push(line),
      facts: () => ({}),
      clock: new ManualClock(),
      name: 'a',
    });
    const service = { hello: async () => ({}), send: async () => ({}), look: async () => ({}) };
    const { group } = new WatchedCalls([trace]).services({ group: service }) as {
      group: Record<string, (request: object, options: { peer: object }) => Promise<object>>;
    };
    const [one, other] = [{ peer: {} }, { peer: {} }];
    await group?.look?.({ path: '/' }, one);
    await group?.hello?.({ name: 'b', hasGroup: true }, one);
    await group?.look?.({ path: '/', name: 'x' }, one);
    await group?.send?.({ from: 'c/123' }, other);
    await group?.look?.({ path: '/' }, other);
    const asked = lines
      .filter((line) => line.includes('→'))
      .map((line) => line.trim().split(' ').slice(3, 5).join(' '));
    assert.deepEqual(asked, ['server group.look', 'b group.hello', 'b group.look', 'c group.send', 'c group.look']);
  });

  it('makes a recording of the same calls', async () => {
    let text = '';
    let facts = { role: 'follower', term: 1 };
    const recording = new CallRecording({
      write: (line) => {
        text += line;
      },
      ...{ facts: () => facts, clock: new ManualClock(), name: 'a', servers: ['a', 'b'], protocol: 'raft' },
    });
    const watched = new WatchedCalls([recording]);
    const { group, quorum } = watched.services({
      group: {
        async send() {
          facts = { role: 'leader', term: 2 };
          return { messages: [{ kind: 'vote', term: 2 }] };
        },
      },
      quorum: {
        async look() {
          throw new Error('in vain');
        },
      },
    }) as Record<string, Record<string, (request: object, options?: object) => Promise<object>>>;
    const peer = {};
    await group?.send?.({ from: 'b/1', messages: [{ kind: 'askVote', term: 2 }] }, { peer });
    await quorum?.look?.({ path: '/x' }, { peer }).catch(() => {});
    await quorum?.look?.({ path: '/x' }, {}).catch(() => {});
    await watched.xmlRpc({ get: async () => 'x' }).get?.('/x');
    recording.end();
    const reader = new RecordingReader();
    reader.push(text);
    const { events, problem } = reader.end();
    assert.equal(problem, null);
    assert.deepEqual(events.map(headline), [
      'a is running',
      'b → a: askVote',
      'a is in term 1',
      'a is follower in term 1',
      'a → b: vote',
      'a is in term 2',
      'a is leader in term 2',
      'b → a: quorum.look',
      'a → b: refusal of quorum.look',
      'another server → a: quorum.look',
      'a → another server: refusal of quorum.look',
      'clients → a: get',
      'a → clients: answer to get',
      'a ends',
    ]);
  });
});
