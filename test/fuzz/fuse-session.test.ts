// Whatever bytes come from the device: every request that can be named gets
// exactly one reply (none for FORGET), nothing is thrown, the session goes on.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { IN_HEADER_BYTES, Opcode } from '../../src/fuse-client/kernel/codec/layout.js';
import { settle } from '../support/manual-clock.js';
import { fixture, stored } from '../unit/fuse-client/fixture.js';
import { requestBytes, text, u32, u64 } from '../unit/fuse-client/request-bytes.js';
import { sessionOver } from '../unit/fuse-client/session-fixture.js';

const WITHOUT_REPLY: readonly number[] = [Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT];

const opcodes = fc.oneof(fc.constantFrom(...Object.values(Opcode)), fc.integer({ min: 0, max: 60 }));
const small = fc.oneof(fc.nat(3), fc.constantFrom(2 ** 31, 2 ** 32 - 1));
const whole = fc.oneof(fc.nat(4), fc.constantFrom(2 ** 40, 2 ** 52, Number.MAX_SAFE_INTEGER));
const piece = fc.oneof(
  small.map((value) => u32(value)),
  whole.map((value) => u64(value)),
  fc.constantFrom('f', 'd', '..', 'user.k', 'x'.repeat(256), '').map(text),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
);
const request = fc
  .record({ opcode: opcodes, inode: whole, pieces: fc.array(piece, { maxLength: 8 }), damage: fc.option(fc.nat(100)) })
  .map(({ opcode, inode, pieces, damage }) => {
    const bytes = requestBytes({ opcode, inode }, ...pieces);
    // Some are hit beyond the opcode, so that it stays known what they ask for.
    if (damage !== null && bytes.length > IN_HEADER_BYTES) {
      const at = IN_HEADER_BYTES + (damage % (bytes.length - IN_HEADER_BYTES));
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
    }
    return { opcode, bytes };
  });

describe('fuzz: bytes from /dev/fuse', () => {
  it('get one reply per request, whatever they say', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 30 }), async (requests) => {
        const parts = fixture();
        await stored(parts, 'f', 'content');
        const { receive, replies } = sessionOver(parts);
        const expected: number[] = [];
        requests.forEach(({ opcode, bytes }, index) => {
          const unique = (index + 1) * 2;
          bytes.writeBigUInt64LE(BigInt(unique), 8);
          if (!WITHOUT_REPLY.includes(opcode)) expected.push(unique);
          receive(bytes);
        });
        for (let turn = 0; turn < 20; turn++) await settle();
        const answered = replies.map(({ unique }) => unique).filter((unique) => expected.includes(unique));
        assert.deepEqual(
          answered.sort((left, right) => left - right),
          expected,
        );
      }),
      { numRuns: 300 },
    );
  });

  it('are never believed when they are no requests at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { receive, replies } = sessionOver(fixture());
        receive(Buffer.from(bytes));
        assert.deepEqual(replies, []);
      }),
    );
  });
});
