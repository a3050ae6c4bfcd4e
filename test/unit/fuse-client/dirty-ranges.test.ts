import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { DirtyRanges } from '../../../src/fuse-client/write-back/dirty-ranges.js';

/** The deliberately simple one: a byte or nothing per offset. */
class Model {
  readonly bytes = new Map<number, number>();

  lay(offset: number, data: Uint8Array): void {
    data.forEach((byte, index) => {
      this.bytes.set(offset + index, byte);
    });
  }

  removeFrom(from: number, to: number): void {
    for (const offset of [...this.bytes.keys()]) if (offset >= from && offset < to) this.bytes.delete(offset);
  }

  get end(): number {
    return Math.max(0, ...[...this.bytes.keys()].map((offset) => offset + 1));
  }
}

function flatten(extents: { offset: number; data: Uint8Array }[]): Map<number, number> {
  const bytes = new Map<number, number>();
  for (const { offset, data } of extents) {
    data.forEach((byte, index) => {
      bytes.set(offset + index, byte);
    });
  }
  return bytes;
}

const sorted = (bytes: Map<number, number>) => [...bytes].sort(([left], [right]) => left - right);

const step = fc.oneof(
  fc.record({ kind: fc.constant('lay' as const), offset: fc.nat(60), length: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(80) }),
  fc.record({ kind: fc.constant('take' as const), to: fc.nat(80) }),
  fc.record({ kind: fc.constant('look' as const), from: fc.nat(80), length: fc.nat(80) }),
);

describe('dirty ranges', () => {
  it('hold what a map of bytes holds, whatever is written, cut and taken', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const ranges = new DirtyRanges();
        const model = new Model();
        let fill = 0;
        for (const action of steps) {
          if (action.kind === 'lay') {
            fill = (fill + 1) % 256;
            const data = new Uint8Array(action.length).fill(fill);
            ranges.lay(action.offset, data);
            model.lay(action.offset, data);
          } else if (action.kind === 'cut') {
            ranges.cutAt(action.at);
            model.removeFrom(action.at, Number.POSITIVE_INFINITY);
          } else if (action.kind === 'take') {
            const expected = new Map([...model.bytes].filter(([offset]) => offset < action.to));
            assert.deepEqual(sorted(flatten(ranges.takeUpTo(action.to))), sorted(expected));
            model.removeFrom(0, action.to);
          } else {
            const to = action.from + action.length;
            const expected = new Map([...model.bytes].filter(([offset]) => offset >= action.from && offset < to));
            assert.deepEqual(sorted(flatten(ranges.within(action.from, to))), sorted(expected));
          }
          assert.equal(ranges.bytes, model.bytes.size);
          assert.equal(ranges.end, model.end);
          assert.equal(ranges.isEmpty, model.bytes.size === 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never change bytes that were handed out', () => {
    const ranges = new DirtyRanges();
    ranges.lay(0, Buffer.from('aaaa'));
    ranges.lay(4, Buffer.from('bbbb'));
    const [seen] = ranges.within(0, 8);
    ranges.lay(2, Buffer.from('zzzz'));
    ranges.lay(8, Buffer.from('cccc'));
    assert.equal(Buffer.from(seen?.data ?? []).toString(), 'aaaabbbb');
  });

  it('gather short neighbours into one extent', () => {
    const ranges = new DirtyRanges();
    for (let index = 0; index < 64; index++) ranges.lay(index * 4096, Buffer.alloc(4096, index));
    const extents = ranges.takeUpTo(ranges.end);
    assert.equal(extents.length, 1);
    assert.equal(extents[0]?.data.length, 64 * 4096);
  });

  it('keep long writes as they are, uncopied', () => {
    const ranges = new DirtyRanges();
    const data = Buffer.alloc(1 << 20, 1);
    ranges.lay(0, data);
    assert.equal(ranges.within(0, 1 << 20)[0]?.data.buffer, data.buffer);
  });
});
