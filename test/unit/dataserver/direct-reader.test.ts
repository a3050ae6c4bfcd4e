// Reads past the system's page cache: when, and that nobody can tell by what is answered.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Dataserver } from '../../../src/dataserver/dataserver.js';
import { DIRECT_READ_MAXIMUM_BYTES, KEPT_DIRECT_MEMORIES } from '../../../src/dataserver/limits.js';
import { Segments } from '../../../src/dataserver/log/segments.js';
import { UnsafeSegments } from '../../../src/dataserver/log/unsafe-segments.js';
import { DirectReader, type PageRange } from '../../../src/dataserver/reading/direct-reader.js';
import type { GetItem, GetResult } from '../../../src/protocol/services/blocks.js';
import { hashBlock, PAGE_BYTES } from '../../../src/protocol/values/hash.js';
import { giveBack } from '../../../src/protocol/wire/lent.js';
import type { Log } from '../../../src/runtime/log.js';
import { silentLog } from '../../../src/runtime/log.js';
import { Pacer } from '../../../src/runtime/pacer.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { RecordingLog } from '../../support/recording-log.js';
import { content, key, openOn, patched, putOne, segmentPath } from './harness.js';

const BLOCK_BYTES = 8 * PAGE_BYTES;
const DIRECT_BYTES = 2 * BLOCK_BYTES;
const BLOCKS = 8;

const block = (index: number) => content(BLOCK_BYTES, index + 1);
const whole = (index: number): GetItem => ({ ...key(index), offset: 0, length: BLOCK_BYTES, data: true });
const firstOnes = (count: number) => Array.from({ length: count }, (_, index) => index);

/** The only block of a segment. */
function wholeRange(segment: number): PageRange {
  const home = { segment, offset: 0 };
  const pageCount = BLOCK_BYTES / PAGE_BYTES;
  const extents = [{ firstPage: 0, pageCount, place: home }];
  const pageHashes = Buffer.alloc(pageCount * 8);
  const row = { length: BLOCK_BYTES, modifiedNs: 0n, home, firstSegment: segment, extents, pageHashes };
  return { row, first: 0, count: pageCount };
}

/** A store of eight blocks behind each other, none of them in the cache. */
async function openCold(disk: MemoryDisk, log: Log = silentLog): Promise<Dataserver> {
  const server = await openOn(disk, { segmentBytes: 2 ** 20, directReadBytes: DIRECT_BYTES, log });
  for (const index of firstOnes(BLOCKS)) await putOne(server.blocks, { ...key(index), data: block(index) });
  disk.dropCaches();
  return server;
}

async function get(server: Dataserver, items: GetItem[]): Promise<GetResult[]> {
  return (await server.blocks.get({ items })).results;
}

/** Reads those blocks as a whole, checks each byte and hash; answers how many direct reads that took. */
async function directReads(disk: MemoryDisk, server: Dataserver, indices: readonly number[]): Promise<number> {
  const before = disk.directReads.length;
  checkWhole(await get(server, indices.map(whole)), indices);
  return disk.directReads.length - before;
}

function checkWhole(results: readonly GetResult[], indices: readonly number[]): void {
  for (const [place, index] of indices.entries()) {
    const result = results[place];
    assert.ok(result?.state === 'present', result?.state);
    assert.equal(result.hash, hashBlock(block(index)));
    assert.ok(block(index).equals(result.data ?? Buffer.alloc(0)), `block ${index}`);
  }
}

describe('reads past the page cache', () => {
  it('take what lies behind each other in one go, whatever order it is asked for in', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    assert.equal(await directReads(disk, server, [2, 0, 3, 1]), 1);
    assert.ok((disk.directReads[0]?.sizeBytes ?? 0) < 4 * BLOCK_BYTES + 3 * PAGE_BYTES);
    assert.match(await server.metrics(), /nmrfs_data_direct_read_bytes_total 1\d{5}\n/);
    await server.close();
  });

  it('are for what is not in the cache, once: what is read again comes into it', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    const all = firstOnes(BLOCKS);
    const missed = () => disk.missedBytes;
    assert.equal(await directReads(disk, server, all), 1);
    assert.equal(missed(), 0);
    assert.equal(await directReads(disk, server, all), 0);
    assert.ok(missed() >= BLOCKS * BLOCK_BYTES);
    const filled = missed();
    assert.equal(await directReads(disk, server, all), 0);
    assert.equal(missed(), filled);
    // It was there, and is not any more.
    disk.dropCaches();
    assert.equal(await directReads(disk, server, all), 1);
    await server.close();
  });

  it('ask the disk about one part of a segment and take the others to be the same', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    assert.equal(await directReads(disk, server, [0, 1]), 1);
    disk.dropCaches();
    for (const first of [6, 2, 4]) assert.equal(await directReads(disk, server, [first, first + 1]), 1);
    assert.equal(disk.missedBytes, 0);
    for (const first of [6, 2, 4]) assert.equal(await directReads(disk, server, [first, first + 1]), 0);
    await server.close();
  });

  it('are not for what was written just now, nor for what is short or lies apart', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    await putOne(server.blocks, { ...key(20), data: block(20) });
    await putOne(server.blocks, { ...key(21), data: block(21) });
    assert.equal(await directReads(disk, server, [20, 21]), 0);
    assert.equal(await directReads(disk, server, [0]), 0);
    assert.equal(await directReads(disk, server, [0, 2, 4, 6]), 0);
    await server.close();
  });

  it('do not meet appends to the same segment', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    assert.equal(await directReads(disk, server, [0, 1]), 1);
    await putOne(server.blocks, { ...key(20), data: block(20) });
    assert.equal(await directReads(disk, server, [2, 3]), 0);
    assert.equal(await directReads(disk, server, [4, 5]), 1);
    // What was appended is in the cache.
    await putOne(server.blocks, { ...key(21), data: block(21) });
    assert.equal(await directReads(disk, server, [20, 21]), 0);
    assert.equal(await directReads(disk, server, [20, 21]), 0);
    await server.close();
  });

  it('answer parts of blocks with hashes that speak for the whole', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    const from = 3 * PAGE_BYTES;
    const items = [
      { ...whole(0), offset: from, length: BLOCK_BYTES - from },
      whole(1),
      { ...whole(2), length: from },
      { ...whole(3), data: false },
      { ...whole(99) },
    ];
    const [first, second, third, fourth, missing] = await get(server, items);
    assert.equal(disk.directReads.length, 1);
    assert.ok(first?.state === 'present' && third?.state === 'present' && fourth?.state === 'present');
    checkWhole(second === undefined ? [] : [second], [1]);
    assert.ok(
      block(0)
        .subarray(from)
        .equals(first.data ?? Buffer.alloc(0)),
    );
    assert.ok(
      block(2)
        .subarray(0, from)
        .equals(third.data ?? Buffer.alloc(0)),
    );
    assert.equal(first.pageHashes?.length, 64);
    assert.deepEqual(
      [first.hash, third.hash, fourth.hash],
      [0, 2, 3].map((index) => hashBlock(block(index))),
    );
    assert.equal(fourth.data, undefined);
    assert.deepEqual(missing, { state: 'absent' });
    await server.close();
  });

  it('find what has changed on the disk', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    const file = Buffer.from(disk.content(segmentPath(1)));
    const at = file.indexOf(block(1).subarray(0, 64)) + 5000;
    file.writeUInt8(file.readUInt8(at) ^ 1, at);
    disk.spoil(segmentPath(1), file);
    const [good, bad] = await get(server, [whole(0), whole(1)]);
    assert.equal(disk.directReads.length, 1);
    checkWhole(good === undefined ? [] : [good], [0]);
    assert.ok(bad?.state === 'present' && bad.hash !== hashBlock(block(1)));
    assert.match(await server.metrics(), /nmrfs_data_damaged_pages_total 1\n/);
    await server.close();
  });

  it('use memory again that was given back, and no other', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    const read = async (first: number) => server.blocks.get({ items: [whole(first), whole(first + 1)] });
    const kept = await read(6);
    const half = kept.results[1];
    if (half?.state === 'present' && half.data !== undefined) giveBack(half.data);
    const back = await read(0);
    checkWhole(back.results, [0, 1]);
    assert.equal(disk.directMemories, 2);
    giveBack(back);
    checkWhole((await read(4)).results, [4, 5]);
    checkWhole(kept.results.slice(0, 1), [6]);
    assert.equal(disk.directMemories, 2);
    await server.close();
  });

  it('give memory back by themselves where only ballots are asked for', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    for (const first of [6, 4, 2, 0]) {
      await get(
        server,
        [whole(first), whole(first + 1)].map((item) => ({ ...item, data: false })),
      );
    }
    assert.deepEqual([disk.directReads.length, disk.directMemories], [4, 1]);
    await server.close();
  });

  it('go on for whoever is alone and reads on, as far as the segment goes', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    const reads = [];
    for (const first of [0, 2, 4, 6]) reads.push(await directReads(disk, server, [first, first + 1]));
    // The second begins the third's, and that the last's: each is there when it is asked for.
    assert.deepEqual(reads, [1, 2, 1, 0]);
    assert.equal(disk.missedBytes, 0);
    await server.close();
  });

  it('do not go on where several are under way, nor into what was read before', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    const [first, second] = await Promise.all([get(server, [0, 1].map(whole)), get(server, [2, 3].map(whole))]);
    checkWhole([...first, ...second], [0, 1, 2, 3]);
    assert.equal(disk.directReads.length, 2);
    assert.equal(await directReads(disk, server, [6, 7]), 1);
    assert.equal(await directReads(disk, server, [4, 5]), 1);
    await server.close();
  });

  it('are told apart, of one block asked for twice and of several segments', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, { segmentBytes: 3 * BLOCK_BYTES, directReadBytes: BLOCK_BYTES });
    for (const index of firstOnes(BLOCKS)) await putOne(server.blocks, { ...key(index), data: block(index) });
    disk.dropCaches();
    for (const one of firstOnes(BLOCKS)) {
      for (const other of firstOnes(BLOCKS)) await directReads(disk, server, [one, other]);
      disk.dropCaches();
    }
    assert.ok(disk.directReads.length > BLOCKS);
    // The same page again, behind the block that it is of.
    const before = disk.directReads.length;
    const [, , page] = await get(server, [whole(6), whole(7), { ...whole(7), length: PAGE_BYTES }]).then((results) => {
      checkWhole(results.slice(0, 2), [6, 7]);
      return results;
    });
    assert.ok(
      page?.state === 'present' &&
        block(7)
          .subarray(0, PAGE_BYTES)
          .equals(page.data ?? Buffer.alloc(0)),
    );
    assert.ok(disk.directReads.length > before);
    await server.close();
  });

  it('are of a bounded length and number, whatever is asked for', async () => {
    const disk = new MemoryDisk();
    const server = await openOn(disk, { segmentBytes: 2 ** 24, directReadBytes: BLOCK_BYTES });
    for (const index of firstOnes(80)) await putOne(server.blocks, { ...key(index), data: block(index) });
    disk.dropCaches();
    const everyOther = firstOnes(40).map((index) => 2 * index);
    assert.equal(await directReads(disk, server, everyOther), KEPT_DIRECT_MEMORIES);
    const odd = everyOther.map((index) => index + 1);
    await get(server, odd.map(whole));
    disk.dropCaches();
    // Two and a half megabytes behind each other.
    assert.equal(await directReads(disk, server, firstOnes(80)), 3);
    assert.ok(disk.directReads.every(({ sizeBytes }) => sizeBytes <= DIRECT_READ_MAXIMUM_BYTES));
    await server.close();
  });

  it('ask once what is in the cache, however many come at once', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    const answers = await Promise.all([6, 0, 4, 2].map((first) => get(server, [whole(first), whole(first + 1)])));
    checkWhole(answers.flat(), [6, 7, 0, 1, 4, 5, 2, 3]);
    assert.deepEqual([disk.probes, disk.directReads.length], [1, 4]);
    await server.close();
  });

  it('leave alone what a failed sync may have left in the cache only', async () => {
    const disk = new MemoryDisk();
    const segments = new Segments(disk, '/segments', silentLog);
    for (const number of [1, 2]) {
      await (await segments.create(number)).write([block(number)], 0);
      segments.setSize(number, BLOCK_BYTES);
    }
    disk.dropCaches();
    const clock = new ManualClock();
    const unsafe = await UnsafeSegments.load('/unsafe', disk, silentLog, [1, 2]);
    await unsafe.add(1, 0);
    const parts = { segments, unsafe, pacer: new Pacer(clock), clock, log: silentLog };
    const reader = new DirectReader(parts, BLOCK_BYTES);
    const bytes = await reader.read([wholeRange(1), wholeRange(2)]);
    assert.equal(bytes?.[0], undefined);
    assert.ok(block(2).equals(bytes?.[1] ?? Buffer.alloc(0)));
    await segments.close();
  });

  it('are done without where the disk has none, and asked for no more', async () => {
    const disk = new MemoryDisk();
    const log = new RecordingLog();
    const server = await openCold(disk, log);
    disk.failDirectRead = Object.assign(new Error('invalid argument'), { code: 'EINVAL' });
    assert.equal(await directReads(disk, server, [0, 1]), 0);
    disk.failDirectRead = null;
    assert.equal(await directReads(disk, server, [2, 3]), 0);
    assert.equal(log.named('direct.unsupported').length, 1);
    await server.close();
  });

  it('are done without for good, although another one fails for another reason', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    const codes = ['EINVAL', 'EIO'];
    Object.defineProperty(disk, 'failDirectRead', {
      get: () => {
        const code = codes.shift();
        return code === undefined ? null : Object.assign(new Error(code), { code });
      },
    });
    await Promise.all([get(server, [whole(0), whole(1)]), get(server, [whole(4), whole(5)])]);
    assert.deepEqual(codes, []);
    assert.equal(await directReads(disk, server, [6, 7]), 0);
    await server.close();
  });

  it('that fail are made through the cache, which says what is the matter', async () => {
    const disk = new MemoryDisk();
    const log = new RecordingLog();
    const server = await openCold(disk, log);
    disk.failDirectRead = Object.assign(new Error('input/output error'), { code: 'EIO' });
    assert.equal(await directReads(disk, server, [0, 1]), 0);
    assert.equal(log.named('direct.failed').length, 1);
    disk.failRead = disk.failDirectRead;
    assert.deepEqual(await get(server, [whole(2), whole(3)]), [{ state: 'damaged' }, { state: 'damaged' }]);
    disk.failDirectRead = null;
    disk.failRead = null;
    assert.equal(await directReads(disk, server, [6, 7]), 1);
    await server.close();
  });

  it('leave alone what lies in several pieces, and what the file has lost', async () => {
    const disk = new MemoryDisk();
    const server = await openCold(disk);
    const writes = [{ offset: 3 * PAGE_BYTES, data: content(PAGE_BYTES, 99) }];
    const patch = { ...key(2, 2), base: 1, baseHash: hashBlock(block(2)), length: BLOCK_BYTES, writes };
    assert.equal((await putOne(server.blocks, patch)).state, 'stored');
    disk.dropCaches();
    const [pieces, ...others] = await get(server, [{ ...whole(2), version: 2 }, whole(0), whole(1)]);
    const mixed = patched(block(2), BLOCK_BYTES, writes);
    assert.ok(pieces?.state === 'present' && pieces.hash === hashBlock(mixed));
    assert.ok(mixed.equals(pieces.data ?? Buffer.alloc(0)));
    checkWhole(others, [0, 1]);
    assert.equal(disk.directReads.length, 1);
    const file = disk.content(segmentPath(1));
    disk.spoil(segmentPath(1), file.subarray(0, file.indexOf(block(5).subarray(0, 64)) + PAGE_BYTES));
    const [fifth, sixth] = await get(server, [whole(4), whole(5)]);
    checkWhole(fifth === undefined ? [] : [fifth], [4]);
    assert.deepEqual(sixth, { state: 'damaged' });
    await server.close();
  });

  it('outlive the segment that they are made from', async () => {
    const disk = new MemoryDisk();
    const log = new RecordingLog();
    const server = await openCold(disk, log);
    let go = () => {};
    disk.directReadsGo = new Promise((resolve) => {
      go = resolve;
    });
    const reading = get(server, [whole(6), whole(7)]);
    const others = firstOnes(40).map((index) => key(100 + index));
    for (const other of others) await putOne(server.blocks, { ...other, data: block(0) });
    await server.blocks.delete({ items: [...firstOnes(6).map((index) => key(index)), ...others] });
    await server.compacting();
    assert.equal(disk.directReads.length, 1);
    assert.ok(!disk.paths().includes(segmentPath(1)));
    go();
    checkWhole(await reading, [6, 7]);
    assert.deepEqual(log.named('direct.failed'), []);
    checkWhole(await get(server, [whole(6), whole(7)]), [6, 7]);
    await server.close();
  });
});
