import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  planBlock,
  putItem,
  renderBlock,
  touchedBlocks,
  type WriteRequest,
} from '../../../src/mediator/writing/write-plan.js';
import { blocksOf, coveredBlocks, edgeBlocks, planZeros } from '../../../src/mediator/writing/zero-plan.js';

const BLOCK = 16;

/** What a replica does with a patch: cut or zero-extend the base, then lay the writes over it. */
function patched(base: Uint8Array, length: number, writes: { offset: number; data: Uint8Array }[]): Uint8Array {
  const result = new Uint8Array(length);
  result.set(base.subarray(0, Math.min(base.length, length)));
  for (const { offset, data } of writes) result.set(data, offset);
  return result;
}

/** The file after the write, the dumb way. */
function expected(before: Uint8Array, { extents, truncateTo }: WriteRequest): Uint8Array {
  let size = truncateTo ?? before.length;
  for (const { offset, data } of extents) if (data.length > 0) size = Math.max(size, offset + data.length);
  const after = new Uint8Array(size);
  after.set(before.subarray(0, Math.min(size, truncateTo ?? before.length)));
  for (const { offset, data } of extents) if (data.length > 0) after.set(data, offset);
  return after;
}

describe('write plan', () => {
  const extent = fc.record({ offset: fc.nat(70), data: fc.uint8Array({ maxLength: 40 }) });
  const request = fc.record({
    extents: fc.array(extent, { maxLength: 4 }),
    truncateTo: fc.option(fc.nat(80), { nil: null }),
  });

  it('gives every block the bytes that the whole file would have', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), request, (before, write) => {
        const after = expected(before, write);
        const touched = touchedBlocks(write, BLOCK);
        const count = Math.ceil(Math.max(after.length, before.length) / BLOCK);
        for (let index = 0; index < count; index++) {
          const base = before.subarray(index * BLOCK, (index + 1) * BLOCK);
          const kept = write.truncateTo !== null && index * BLOCK >= write.truncateTo ? null : base;
          const reference = base.length === 0 ? null : { index, version: 7, hash: 1n, length: base.length };
          const extents = touched.get(index);
          const plan = extents === undefined ? null : planBlock({ ...write, extents }, index, BLOCK, reference);
          let content: Uint8Array = kept ?? new Uint8Array(0);
          if (plan !== null) {
            const item = putItem(plan, 1, 8, plan.whole ? renderBlock(plan, new Uint8Array(0)) : null);
            content = 'data' in item ? item.data : patched(base, item.length, item.writes);
            assert.deepEqual(renderBlock(plan, base), content, 'rendered here and patched there are the same');
            assert.equal(content.length, plan.length);
          }
          const shown = new Uint8Array(BLOCK);
          shown.set(content);
          const wanted = new Uint8Array(BLOCK);
          wanted.set(after.subarray(index * BLOCK, (index + 1) * BLOCK));
          const visible = Math.max(0, Math.min(BLOCK, after.length - index * BLOCK));
          assert.deepEqual(shown.subarray(0, visible), wanted.subarray(0, visible));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('makes zeros of a range and leaves the rest', () => {
    const range = fc.record({ offset: fc.nat(90), length: fc.integer({ min: 1, max: 60 }) });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), range, (before, zeros) => {
        const after = Uint8Array.from(before).fill(0, zeros.offset, zeros.offset + zeros.length);
        const edges = edgeBlocks(zeros, BLOCK);
        const covered = coveredBlocks(zeros, BLOCK);
        const [first, last] = blocksOf(zeros, BLOCK);
        for (let index = 0; index < Math.ceil(before.length / BLOCK); index++) {
          const base = before.subarray(index * BLOCK, (index + 1) * BLOCK);
          let content: Uint8Array = base;
          if (index >= covered.first && index < covered.end) content = new Uint8Array(0);
          if (edges.includes(index)) {
            const plan = planZeros(zeros, index, BLOCK, { index, version: 7, hash: 1n, length: base.length });
            const item = plan === null ? { data: new Uint8Array(0) } : putItem(plan, 1, 8, null);
            content = 'data' in item ? item.data : patched(base, item.length, item.writes);
            if (plan !== null) assert.deepEqual(renderBlock(plan, base), content);
          }
          assert.ok(content === base || (index >= first && index <= last));
          const shown = new Uint8Array(base.length);
          shown.set(content);
          assert.deepEqual(shown, after.subarray(index * BLOCK, (index + 1) * BLOCK));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves no block behind where only zeros were left', () => {
    const base = { index: 0, version: 1, hash: 1n, length: 5 };
    assert.equal(planZeros({ offset: 0, length: 5 }, 0, BLOCK, base), null);
    assert.equal(planZeros({ offset: 2, length: 9 }, 0, BLOCK, base)?.length, 2);
    assert.equal(planZeros({ offset: 7, length: 2 }, 0, BLOCK, base)?.length, 5);
  });

  it('puts a block whole when the writes cover it, and as a patch otherwise', () => {
    const base = { index: 0, version: 1, hash: 1n, length: BLOCK };
    const write = (offset: number, length: number) => ({
      extents: [{ offset, data: new Uint8Array(length) }],
      truncateTo: null,
    });
    assert.equal(planBlock(write(0, BLOCK), 0, BLOCK, base)?.whole, true);
    assert.equal(planBlock(write(0, BLOCK - 1), 0, BLOCK, base)?.whole, false);
    assert.equal(planBlock(write(3, 2), 0, BLOCK, null)?.whole, true);
  });

  it('takes a cut beyond the end of a block for a change, so that a longer block cannot slip in', () => {
    const base = { index: 0, version: 1, hash: 1n, length: 5 };
    const plan = planBlock({ extents: [], truncateTo: 9 }, 0, BLOCK, base);
    assert.deepEqual(plan, { index: 0, base, baseLength: 5, length: 5, writes: [], whole: false });
    assert.equal(planBlock({ extents: [], truncateTo: 9 }, 0, BLOCK, null), null);
  });
});
