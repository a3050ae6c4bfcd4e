// Random bytes for segments, and random damage to real ones: a store opens all
// the same, and no ballot for the right hash comes with wrong bytes.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { memoryIndexFactory } from '../../src/dataserver/index/memory-index.js';
import type { BlockKey } from '../../src/protocol/services/blocks.js';
import { hashBlock } from '../../src/protocol/values/hash.js';
import { MemoryDisk } from '../support/memory-disk.js';
import { content, goodBytes, key, openOn, patched, putOne, segmentPath } from '../unit/dataserver/harness.js';

const SEGMENT_BYTES = 48 * 1024;

type Damage =
  | { kind: 'flip'; at: number; mask: number }
  | { kind: 'zeros' | 'noise'; at: number; length: number }
  | { kind: 'cut'; at: number }
  | { kind: 'insert'; at: number; length: number }
  | { kind: 'copy'; from: number; at: number; length: number };

/** Positions as shares of the file, in millionths. */
const share = fc.integer({ min: 0, max: 999_999 });
const length = fc.integer({ min: 1, max: 10_000 });
const damage: fc.Arbitrary<Damage> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('flip' as const), at: share, mask: fc.integer({ min: 1, max: 255 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('zeros' as const, 'noise' as const), at: share, length }) },
  fc.record({ kind: fc.constant('cut' as const), at: share }),
  fc.record({ kind: fc.constant('insert' as const), at: share, length }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('copy' as const), from: share, at: share, length }) },
);

interface Known {
  key: BlockKey;
  data: Buffer;
}

describe('segments with random bytes', () => {
  it('never keep a store from opening, and hold nothing', async () => {
    const bytes = fc.uint8Array({ maxLength: 20_000, size: 'max' });
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 3 }), fc.boolean(), async (files, withMagic) => {
        const disk = new MemoryDisk();
        await (await openOn(disk)).close();
        for (const [at, file] of files.entries()) {
          const noise = Buffer.from(file);
          if (withMagic)
            for (let spot = 0; spot + 8 < noise.length; spot += 512) noise.write('nmrfsRec', spot, 'latin1');
          await disk.open(segmentPath(at + 1), 'create');
          disk.spoil(segmentPath(at + 1), noise);
        }
        const server = await openOn(disk);
        assert.equal((await server.blocks.status({})).blocks, 0);
        await checkWorks(server.blocks);
        await server.close();
      }),
      { numRuns: 60, ...seeded() },
    );
  });
});

describe('segments with random damage', () => {
  for (const keepsIndex of [true, false]) {
    it(`never yield wrong bytes as good, the index ${keepsIndex ? 'kept' : 'made anew'}`, async function () {
      this.timeout(60_000);
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(fc.nat(5), damage), { minLength: 1, maxLength: 6 }), async (damages) => {
          const disk = new MemoryDisk();
          const index = memoryIndexFactory();
          const known = await fill(disk, index);
          const paths = disk.paths().filter((path) => path.endsWith('.log'));
          for (const [pick, one] of damages) {
            const path = paths[pick % paths.length];
            if (path !== undefined) disk.spoil(path, spoil(disk.content(path), one));
          }
          const server = await openOn(disk, {
            index: keepsIndex ? index : memoryIndexFactory(),
            segmentBytes: SEGMENT_BYTES,
          });
          await checkAll(server.blocks, known);
          await checkWorks(server.blocks);
          await server.compacting();
          await checkAll(server.blocks, known);
          await server.close();
        }),
        { numRuns: 150, endOnFailure: true, ...seeded() },
      );
    });
  }
});

/** Whole blocks, patches on them, and a copy of a segment as somebody's data, over several segments. */
async function fill(disk: MemoryDisk, index: ReturnType<typeof memoryIndexFactory>): Promise<Known[]> {
  const server = await openOn(disk, { index, segmentBytes: SEGMENT_BYTES });
  const known: Known[] = [];
  for (let at = 0; at < 8; at++) {
    const data = content(9000 + at * 900, at);
    await putOne(server.blocks, { ...key(at), data });
    const writes = [{ offset: at * 1000, data: content(500, at) }];
    const item = { ...key(at, 2), base: 1, baseHash: hashBlock(data), length: data.length, writes };
    await putOne(server.blocks, item);
    known.push({ key: key(at), data }, { key: key(at, 2), data: patched(data, data.length, writes) });
  }
  const copy = Buffer.from(disk.content(segmentPath(1)));
  await putOne(server.blocks, { ...key(50), data: copy });
  known.push({ key: key(50), data: copy });
  await server.close();
  return known;
}

type Blocks = Parameters<typeof putOne>[0];

/** goodBytes fails by itself where a ballot has other bytes than it votes for. */
async function checkAll(blocks: Blocks, known: readonly Known[]): Promise<void> {
  for (const { key: block, data } of known) {
    const bytes = await goodBytes(blocks, block, hashBlock(data));
    if (bytes !== undefined) assert.deepEqual(bytes, data);
  }
}

async function checkWorks(blocks: Blocks): Promise<void> {
  const data = content(12_345, 9);
  assert.equal((await putOne(blocks, { ...key(1000), data })).state, 'stored');
  assert.deepEqual(await goodBytes(blocks, key(1000), hashBlock(data)), data);
}

function spoil(file: Buffer, one: Damage): Buffer {
  const place = (millionths: number) => Math.floor((millionths * file.length) / 1e6);
  const spoiled = Buffer.from(file);
  if (file.length === 0) return spoiled;
  const at = place(one.at);
  switch (one.kind) {
    case 'flip':
      spoiled.writeUInt8(spoiled.readUInt8(at) ^ one.mask, at);
      return spoiled;
    case 'zeros':
      return spoiled.fill(0, at, Math.min(spoiled.length, at + one.length));
    case 'noise':
      content(one.length, at).copy(spoiled, at);
      return spoiled;
    case 'cut':
      return spoiled.subarray(0, at);
    case 'insert':
      return Buffer.concat([spoiled.subarray(0, at), content(one.length, at), spoiled.subarray(at)]);
    case 'copy':
      // A record at another place than its own must not count.
      file.copy(spoiled, at, place(one.from), place(one.from) + one.length);
      return spoiled;
  }
}

/** NMRFS_SEED repeats a run. */
function seeded(): { seed?: number } {
  const { NMRFS_SEED: seed } = process.env;
  return seed === undefined ? {} : { seed: Number(seed) };
}
