// The logs of a folder as one stream of events.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { LogFolder } from '../../../src/cli/event-logs.js';
import type { EventsQuestion } from '../../../src/protocol/page/messages.js';

const START_MS = Date.parse('2026-01-01T00:00:00Z');

function line(timeMs: number, name: string, event: string, fields: object = {}): string {
  const time = new Date(START_MS + timeMs).toISOString();
  return `${JSON.stringify({ level: 'info', time, name, pid: 1, event, ...fields })}\n`;
}

describe('the logs of a folder', () => {
  let folder: string;
  let logs: LogFolder;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-logs-'));
    logs = new LogFolder(folder, ['mediator', 'data1', 'data2']);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const put = (name: string, text: string) => writeFile(join(folder, name), text);
  const find = (question: Partial<EventsQuestion> = {}) => logs.find({ limit: 100, ...question });
  const names = async (question: Partial<EventsQuestion> = {}) =>
    (await find(question)).events.map(({ timeMs, server, event }) => `${timeMs - START_MS} ${server} ${event}`);

  it('are one stream, newest first, with the log before the last one', async () => {
    await put('mediator.log.1', line(1, 'mediator', 'vote.dissent'));
    await put('mediator.log', line(3, 'mediator', 'repair.done') + line(5, 'mediator', 'replica.up'));
    await put('data1.log', line(2, 'data1', 'server.ready') + line(4, 'data1', 'block.unreadable'));
    assert.deepEqual(await names(), [
      '5 mediator replica.up',
      '4 data1 block.unreadable',
      '3 mediator repair.done',
      '2 data1 server.ready',
      '1 mediator vote.dissent',
    ]);
  });

  it('tell how far back they go, and whose are not here', async () => {
    await put('mediator.log', line(7, 'mediator', 'replica.up'));
    await put('data1.log', line(2, 'data1', 'server.ready'));
    const { oldestMs, here, elsewhere, hasOlder } = await find();
    assert.deepEqual(
      { oldestMs, here, elsewhere, hasOlder },
      { oldestMs: START_MS + 2, here: ['mediator', 'data1'], elsewhere: ['data2'], hasOlder: false },
    );
  });

  it('are none where the folder is not there', async () => {
    await rm(folder, { recursive: true });
    const { events, oldestMs, elsewhere } = await find();
    assert.deepEqual(
      { events, oldestMs, elsewhere },
      { events: [], oldestMs: null, elsewhere: ['mediator', 'data1', 'data2'] },
    );
  });

  it('are filtered by server, kind, file and trouble', async () => {
    await put(
      'mediator.log',
      line(1, 'mediator', 'vote.dissent', { server: 'data2', inode: 7, level: 'warn' }) +
        line(2, 'mediator', 'repair.done', { server: 'data2', inode: 7 }) +
        line(3, 'mediator', 'repair.done', { server: 'data1', inode: 8 }),
    );
    assert.deepEqual(await names({ server: 'data2' }), ['2 mediator repair.done', '1 mediator vote.dissent']);
    assert.deepEqual(await names({ kind: 'vote' }), ['1 mediator vote.dissent']);
    assert.deepEqual(await names({ inode: 8 }), ['3 mediator repair.done']);
    assert.deepEqual(await names({ isTrouble: true }), ['1 mediator vote.dissent']);
    assert.deepEqual(await names({ since: START_MS + 3 }), ['3 mediator repair.done']);
  });

  it('leave out lines that are cut off or are no events', async () => {
    await put('data1.log', `{"level":"in\nno JSON\n{"a":1}\n${line(2, 'data1', 'server.ready')}{"level":"info","ti`);
    assert.deepEqual(await names(), ['2 data1 server.ready']);
  });

  it('can be paged through to the oldest, without loss, however many share a millisecond', async () => {
    const count = 20_000;
    const lines = Array.from({ length: count }, (_, at) =>
      line(Math.floor(at / 7), 'data1', 'block.unreadable', { index: at, padding: 'p'.repeat(at % 90) }),
    );
    await put('data1.log', lines.join(''));
    const seen = new Set<string>();
    let last = Number.POSITIVE_INFINITY;
    for (let until: number | undefined; ; ) {
      const { events, hasOlder, searchedMs } = await find(until === undefined ? { limit: 500 } : { limit: 500, until });
      for (const { id, timeMs } of events) {
        assert.ok(timeMs <= last || seen.has(id), 'newest first');
        seen.add(id);
        last = timeMs;
      }
      until = searchedMs ?? undefined;
      if (!hasOlder) break;
    }
    assert.equal(seen.size, count);
  });

  it('are looked through in steps for what seldom fits', async () => {
    const padding = 'p'.repeat(10_000);
    const lines = Array.from({ length: 3000 }, (_, at) => line(at, 'data1', 'block.unreadable', { padding }));
    await put('data1.log', line(0, 'data1', 'server.ready') + lines.join(''));
    let steps = 0;
    const found: string[] = [];
    for (let until: number | undefined; ; steps++) {
      const answer = await find({ kind: 'server', ...(until === undefined ? {} : { until }) });
      found.push(...answer.events.map(({ event }) => event));
      if (!answer.hasOlder) break;
      assert.ok(answer.searchedMs !== null && answer.searchedMs < (until ?? Number.POSITIVE_INFINITY));
      until = answer.searchedMs;
    }
    assert.deepEqual(found, ['server.ready']);
    assert.ok(steps >= 2 && steps < 10, `${steps} steps`);
  });
});
