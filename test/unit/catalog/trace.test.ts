// The trace: one readable line for each message, with what changed.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { brief } from '../../../src/catalog/trace/brief.js';
import { Trace } from '../../../src/catalog/trace/trace.js';
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
    const { group } = trace.services({
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
    const { group } = trace.services({ group: service }) as {
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
});
