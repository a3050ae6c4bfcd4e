// How much is read and written to go through a segment: few reads for many small
// records, no payloads of large ones, and few writes to move small blocks.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Dataserver } from '../../../src/dataserver/dataserver.js';
import type { BlockKey } from '../../../src/protocol/services/blocks.js';
import { hashBlock } from '../../../src/protocol/values/hash.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { RecordingLog } from '../../support/recording-log.js';
import { content, goodBytes, key, segmentPath } from './harness.js';
import { type DiskCall, openNoting } from './noting-disk.js';

const SEGMENT_BYTES = 2 ** 20;

class Bench {
  readonly calls: DiskCall[] = [];
  readonly log = new RecordingLog();
  readonly #disk = new MemoryDisk();

  /** Opens the store; what an earlier process knew of it is only in its segments. */
  open(): Promise<Dataserver> {
    return openNoting(this.#disk, (call) => this.calls.push(call), SEGMENT_BYTES, this.log);
  }

  has(segment: number): boolean {
    return this.#disk.paths().includes(segmentPath(segment));
  }

  /** Overwrites a byte of the segment. */
  spoil(segment: number, offset: number): void {
    if (offset > 0) this.#disk.content(segmentPath(segment)).fill(0, offset, offset + 1);
  }

  callsOf(kind: DiskCall['kind'], segment: number): readonly DiskCall[] {
    return this.calls.filter((call) => call.kind === kind && call.path === segmentPath(segment));
  }
}

/** Fills the first segment with blocks of that size, and begins the next one. */
async function fill({ blocks }: Dataserver, sizeBytes: number): Promise<BlockKey[]> {
  const keys = Array.from({ length: Math.ceil(SEGMENT_BYTES / sizeBytes) + 1 }, (_, index) => key(index));
  for (const each of keys)
    await blocks.put({ items: [{ ...each, data: content(sizeBytes, each.index) }], durable: false });
  return keys;
}

describe('going through a segment', () => {
  it('reads many small records at once when the index is made anew', async () => {
    const bench = new Bench();
    const first = await bench.open();
    const keys = await fill(first, 2000);
    await first.close();
    bench.calls.length = 0;
    const again = await bench.open();
    assert.equal((await again.blocks.status({})).blocks, keys.length);
    const reads = bench.callsOf('read', 1);
    assert.ok(reads.length > 0 && reads.length < 20, `${reads.length} reads for ${keys.length} records`);
    await again.close();
  });

  it('skips the payloads of large records', async () => {
    const bench = new Bench();
    const first = await bench.open();
    const keys = await fill(first, 128 * 1024);
    await first.close();
    bench.calls.length = 0;
    const again = await bench.open();
    assert.equal((await again.blocks.status({})).blocks, keys.length);
    const readBytes = bench.callsOf('read', 1).reduce((sum, { bytes }) => sum + bytes, 0);
    assert.ok(readBytes < SEGMENT_BYTES / 8, `${readBytes} bytes read`);
    await again.close();
  });

  for (const [what, damage] of [
    ['behind small ones', 0],
    ['behind a damaged one', 100],
  ] as const) {
    it(`skips the payloads of large records ${what}`, async () => {
      const bench = new Bench();
      const first = await bench.open();
      const small = damage > 0 ? [0] : Array.from({ length: 60 }, (_, at) => at);
      for (const at of small) {
        await first.blocks.put({ items: [{ ...key(at, 2), data: content(4000, at) }], durable: false });
      }
      await fill(first, 64 * 1024);
      await first.close();
      bench.spoil(1, damage);
      bench.calls.length = 0;
      const again = await bench.open();
      const readBytes = bench.callsOf('read', 1).reduce((sum, { bytes }) => sum + bytes, 0);
      assert.ok(readBytes < SEGMENT_BYTES / 2 + small.length * 4000, `${readBytes} bytes read`);
      await again.close();
    });
  }

  it('moves many small blocks with one write', async () => {
    const bench = new Bench();
    const server = await bench.open();
    const keys = await fill(server, 2000);
    const isKept = ({ index }: BlockKey) => index % 3 === 0;
    bench.calls.length = 0;
    await server.blocks.delete({ items: keys.filter((each) => !isKept(each)) });
    await server.compacting();
    const kept = keys.filter(isKept);
    const writes = bench.calls.filter(({ kind, bytes }) => kind === 'write' && bytes >= 2000);
    assert.ok(
      writes.length > 1 && writes.length < kept.length / 8,
      `${writes.length} writes for ${kept.length} blocks`,
    );
    assert.ok(Math.max(...writes.map(({ bytes }) => bytes)) < 256 * 1024, 'but not all with one');
    const [done] = bench.log.named('compaction.done');
    assert.ok(Number(done?.liveBytes) > (kept.length / 2) * 2000, 'the log says how much was alive');
    for (const each of kept) {
      const data = content(2000, each.index);
      assert.deepEqual(await goodBytes(server.blocks, each, hashBlock(data)), data);
    }
    await server.close();
  });

  it('moves not much more with one write when there are larger versions of the same blocks', async () => {
    const bench = new Bench();
    const server = await bench.open();
    const grown = Array.from({ length: 30 }, (_, index) => ({ ...key(index, 2), data: content(30_000, index) }));
    for (const { index } of grown) {
      await server.blocks.put({ items: [{ ...key(index), data: content(10, index) }], durable: false });
    }
    for (const item of grown) await server.blocks.put({ items: [item], durable: false });
    const others = Array.from({ length: 30 }, (_, at) => ({ ...key(100 + at), data: content(60_000, at) }));
    for (const item of others) await server.blocks.put({ items: [item], durable: false });
    assert.ok(bench.has(2), 'the first segment is full');
    bench.calls.length = 0;
    await server.blocks.delete({ items: [...others, ...grown.slice(15)].map(({ data, ...each }) => each) });
    await server.compacting();
    assert.ok(!bench.has(1), 'the segment is gone');
    const largest = Math.max(...bench.calls.filter(({ kind }) => kind === 'write').map(({ bytes }) => bytes));
    assert.ok(largest < 256 * 1024 + 1, `${largest} bytes at once`);
    await server.close();
  });

  it('moves all versions of a block that are there', async () => {
    const bench = new Bench();
    const server = await bench.open();
    const versions = [1, 2, 3].map((version) => ({ ...key(0, version), data: content(3000, version) }));
    for (const item of versions) await server.blocks.put({ items: [item], durable: false });
    const others = await fill(server, 2000);
    await server.blocks.delete({ items: others.filter(({ index }) => index > 2) });
    await server.compacting();
    assert.ok(!bench.has(1), 'the segment is gone');
    assert.equal((await server.blocks.list({ limit: 100 })).entries.length, 5);
    for (const { data, ...each } of versions.slice(1)) {
      assert.deepEqual(await goodBytes(server.blocks, each, hashBlock(data)), data);
    }
    await server.close();
  });
});
