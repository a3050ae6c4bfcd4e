// How long compaction rests, by what is wanted of the store meanwhile.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { CompactionPace } from '../../../src/dataserver/compaction/compaction-pace.js';
import { openDataserver } from '../../../src/dataserver/dataserver.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import type { BlockService } from '../../../src/protocol/services/blocks.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { content, getOne, key, memoryRuntime, putOne, STORE } from './harness.js';

const STRETCH_BYTES = 1024 * 1024;
const SHORTEST_MS = 10;
const LONGEST_RESTS = 4;
const BACKLOG_SEGMENTS = 16;

/** Somebody who copies a stretch within no time, and rests. */
function openPace() {
  const clock = new ManualClock();
  const waiting = { segments: 0 };
  const pace = new CompactionPace(clock, () => waiting.segments);
  pace.begin(false);
  return {
    clock,
    waiting,
    pace,
    /** Milliseconds that a rest takes, with `each` called every millisecond. */
    async restMs(bytes: number, each: (atMs: number) => void = () => {}): Promise<number> {
      const startMs = clock.monotonicMs();
      let endMs: number | undefined;
      const rest = pace.restIfDue(bytes).then(() => {
        endMs = clock.monotonicMs();
      });
      await settle();
      for (let atMs = 0; atMs < 10_000 && endMs === undefined; atMs++) {
        each(atMs);
        await clock.advance(1);
      }
      await rest;
      return (endMs ?? Number.NaN) - startMs;
    },
  };
}

describe('the pace of compaction', () => {
  it('is not to rest before a stretch of work is done', async () => {
    const { restMs } = openPace();
    assert.equal(await restMs(STRETCH_BYTES - 1), 0);
    assert.notEqual(await restMs(1), 0);
    assert.equal(await restMs(STRETCH_BYTES - 1), 0);
  });

  it('is to rest many times as long as it worked, while nobody wants anything', async () => {
    const { clock, restMs } = openPace();
    await clock.advance(5);
    assert.equal(await restMs(0), 100);
    await clock.advance(4);
    assert.equal(await restMs(0), 0);
    assert.equal(await restMs(STRETCH_BYTES), 80);
  });

  it('is slower while there are requests, but never stands still', async () => {
    const { pace, restMs } = openPace();
    assert.equal(await restMs(STRETCH_BYTES, () => pace.noteRequest()), LONGEST_RESTS * SHORTEST_MS);
  });

  it('is as before when the requests end', async () => {
    const { pace, restMs } = openPace();
    const until = (endMs: number) => (atMs: number) => (atMs < endMs ? pace.noteRequest() : undefined);
    assert.equal(await restMs(STRETCH_BYTES, until(15)), 30);
  });

  it('is the less slow under requests, the more waits', async () => {
    const { pace, waiting, restMs } = openPace();
    const rests: number[] = [];
    for (const segments of [0, 1, 3, 15]) {
      waiting.segments = segments;
      rests.push((await restMs(STRETCH_BYTES, () => pace.noteRequest())) / SHORTEST_MS);
    }
    assert.deepEqual(rests, [4, 2, 1, 1]);
  });

  it('hurries when much waits, whoever wants something and however long it worked', async () => {
    const { clock, pace, waiting, restMs } = openPace();
    waiting.segments = BACKLOG_SEGMENTS + 1;
    await clock.advance(50);
    assert.equal(await restMs(0, () => pace.noteRequest()), SHORTEST_MS);
  });

  it('hurries at once when room is needed, until there is calm', async () => {
    const { clock, pace, restMs } = openPace();
    await clock.advance(50);
    const rest = await restMs(0, (atMs) => (atMs === 30 ? pace.hurry() : pace.noteRequest()));
    assert.equal(rest, 30 + SHORTEST_MS);
    assert.equal(await restMs(STRETCH_BYTES, () => pace.noteRequest()), SHORTEST_MS);
    pace.calm();
    assert.ok((await restMs(STRETCH_BYTES, () => pace.noteRequest())) > SHORTEST_MS);
  });

  it('is to hurry with what is urgent, until the next', async () => {
    const { clock, pace, restMs } = openPace();
    pace.begin(true);
    await clock.advance(50);
    assert.equal(await restMs(0, () => pace.noteRequest()), SHORTEST_MS);
    assert.equal(await restMs(STRETCH_BYTES, () => pace.noteRequest()), SHORTEST_MS);
    pace.begin(false);
    assert.ok((await restMs(STRETCH_BYTES, () => pace.noteRequest())) > SHORTEST_MS);
  });

  it('is not to rest for minutes since the disk stood still for a moment', async () => {
    const { clock, pace, restMs } = openPace();
    await clock.advance(3000);
    assert.equal(await restMs(0, () => pace.noteRequest()), LONGEST_RESTS * 1000);
  });

  it('ends with the store: nobody waits for a rest to be over', async () => {
    const { clock, pace, restMs } = openPace();
    await clock.advance(50);
    assert.equal(await restMs(0, (atMs) => (atMs === 3 ? pace.close() : undefined)), 3);
    assert.equal(await restMs(STRETCH_BYTES), 0);
    assert.equal(clock.pending, 0);
  });
});

describe('compaction in a data server', () => {
  /** Milliseconds that it takes to compact a segment with more than a stretch alive in it, with `each` called every millisecond. */
  async function compactingMs(each: (blocks: BlockService) => Promise<unknown>): Promise<number> {
    const clock = new ManualClock();
    const blockBytes = 100 * 1024;
    const options = { name: 'data3', number: 3, directory: STORE, testHooks: true, segmentBytes: 40 * blockBytes };
    const runtime = { ...memoryRuntime(new MemoryDisk()), clock };
    const exits = { terminate() {}, restart() {} };
    const server = await openDataserver({ ...options, reserveBytes: 0 }, runtime, memoryIndexFactory(), exits);
    for (let index = 0; index < 50; index++)
      await putOne(server.blocks, { ...key(index), data: content(blockBytes, index) });
    await server.blocks.delete({ items: Array.from({ length: 25 }, (_, index) => key(index)) });
    const startMs = clock.monotonicMs();
    let isDone = false;
    const compacting = server.compacting().then(() => {
      isDone = true;
    });
    await settle();
    for (let atMs = 0; atMs < 10_000 && !isDone; atMs++) {
      await each(server.blocks);
      await clock.advance(1);
    }
    await compacting;
    const endMs = clock.monotonicMs();
    await server.close();
    return endMs - startMs;
  }

  it('gives way to puts, gets and deletes', async () => {
    const alone = await compactingMs(async () => {});
    assert.ok(alone >= SHORTEST_MS, `rested for ${alone} ms`);
    let version = 1;
    const requests: Record<string, (blocks: BlockService) => Promise<unknown>> = {
      put: (blocks) => putOne(blocks, { ...key(99, version++), data: content(10, 1) }, { durable: false }),
      get: (blocks) => getOne(blocks, key(45)),
      delete: (blocks) => blocks.delete({ items: [key(77)] }),
    };
    for (const [name, request] of Object.entries(requests)) {
      const takenMs = await compactingMs(request);
      assert.ok(takenMs >= 2 * alone, `${name}: ${takenMs} ms beside ${alone}`);
    }
  });
});
