import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'mocha';
import { encodeFiller, HEADER_BYTES } from '../../../src/dataserver/format/record.js';
import { SegmentScanner } from '../../../src/dataserver/log/scanner.js';
import type { DiskFile } from '../../../src/runtime/disk.js';

const SEGMENT = 3;
const SALT = 5n;
const LARGE = 128 * 1024;

/** A segment with records of those lengths. */
function segmentOf(lengths: readonly number[]): Buffer {
  const bytes = Buffer.alloc(lengths.reduce((sum, length) => sum + length, 0));
  let offset = 0;
  for (const length of lengths) {
    encodeFiller({ segment: SEGMENT, offset }, length, SALT).copy(bytes, offset);
    offset += length;
  }
  return bytes;
}

/** A file that answers reads in later turns of the event loop, and says which there were. */
class SlowFile {
  readonly reads: number[] = [];
  readonly lengths: number[] = [];
  /** What each read brings at most. */
  mostBytes = Number.POSITIVE_INFINITY;
  underWay = 0;
  mostUnderWay = 0;
  /** Called for each read; fails it by throwing. */
  meet: (position: number) => void = () => {};

  constructor(readonly bytes: Buffer) {}

  async read(target: Uint8Array, position: number): Promise<number> {
    this.reads.push(position);
    this.lengths.push(target.length);
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    await new Promise(setImmediate);
    this.underWay--;
    this.meet(position);
    return this.bytes.copy(target, 0, position, position + Math.min(target.length, this.mostBytes));
  }
}

async function scan(file: SlowFile, most = Number.POSITIVE_INFINITY): Promise<number[]> {
  const scanner = new SegmentScanner(file as unknown as DiskFile, SEGMENT, file.bytes.length, SALT);
  const offsets: number[] = [];
  for await (const record of scanner.records()) {
    offsets.push(record.place.offset);
    if (offsets.length === most) break;
  }
  return offsets;
}

function offsetsOf(lengths: readonly number[]): number[] {
  let offset = 0;
  return lengths.map((length) => {
    offset += length;
    return offset - length;
  });
}

describe('reading the records of a segment', () => {
  it('reads the headers of several large records at once', async () => {
    const lengths = new Array(40).fill(LARGE);
    const file = new SlowFile(segmentOf(lengths));
    assert.deepEqual(await scan(file), offsetsOf(lengths));
    assert.equal(file.mostUnderWay, 8);
    assert.equal(Math.max(...file.lengths), 8192);
    assert.equal(file.reads.length, lengths.length, 'none is read twice');
  });

  it('finds every record where lengths change, and none twice', async () => {
    const lengths = [LARGE, LARGE, LARGE, 16_384, LARGE, 16_384, 16_384, 16_384, 512, 512, LARGE, HEADER_BYTES, LARGE];
    const file = new SlowFile(segmentOf(lengths));
    assert.deepEqual(await scan(file), offsetsOf(lengths));
    assert.deepEqual(file.reads.length, new Set(file.reads).size, 'no place is read twice');
  });

  it('reads little ahead that it does not need, and keeps none of it, where others lie between large records', async () => {
    const alternating = new SlowFile(segmentOf(new Array(100).fill([LARGE, 512]).flat()));
    await scan(alternating);
    assert.ok(alternating.reads.length <= 110, `${alternating.reads.length} reads`);
    assert.equal(alternating.mostUnderWay, 1);
    const inFours = new SlowFile(segmentOf(new Array(50).fill([LARGE, LARGE, LARGE, LARGE, 512]).flat()));
    await scan(inFours);
    assert.ok(inFours.reads.length <= 400, `${inFours.reads.length} reads for 200 large records`);
    assert.ok(inFours.mostUnderWay <= 8, `${inFours.mostUnderWay} at once`);
  });

  it('reads ahead of small records with few large reads', async () => {
    const lengths = new Array(2000).fill(512);
    const file = new SlowFile(segmentOf(lengths));
    assert.deepEqual(await scan(file), offsetsOf(lengths));
    assert.ok(file.reads.length <= 10, `${file.reads.length} reads`);
  });

  it('uses the file no more when it has ended, however it ends', async () => {
    const lengths = new Array(40).fill(LARGE);
    const file = new SlowFile(segmentOf(lengths));
    assert.deepEqual(await scan(file, 5), offsetsOf(lengths).slice(0, 5));
    assert.equal(file.underWay, 0);
    const changing = new SlowFile(segmentOf([LARGE, LARGE, LARGE, ...new Array(12).fill(16_384)]));
    await scan(changing, 4);
    assert.equal(changing.underWay, 0);
  });

  it('reads again where a read ahead has brought less than a header', async () => {
    const lengths = new Array(20).fill(LARGE);
    const file = new SlowFile(segmentOf(lengths));
    file.meet = (position) => {
      const isFirst = file.reads.filter((each) => each === position).length === 1;
      file.mostBytes = position === 9 * LARGE && isFirst ? HEADER_BYTES - 1 : Number.POSITIVE_INFINITY;
    };
    assert.deepEqual(await scan(file), offsetsOf(lengths));
  });

  it('reads again where a read ahead has failed, and fails when that fails too', async () => {
    const lengths = new Array(20).fill(LARGE);
    const file = new SlowFile(segmentOf(lengths));
    const failing = 7 * LARGE;
    let failures = 1;
    file.meet = (position) => {
      if (position === failing && failures-- > 0) throw new Error('no such sector');
    };
    assert.deepEqual(await scan(file), offsetsOf(lengths));
    assert.equal(file.reads.filter((position) => position === failing).length, 2);
    failures = Number.POSITIVE_INFINITY;
    await assert.rejects(scan(file), /no such sector/);
    assert.equal(file.underWay, 0);
  });
});
