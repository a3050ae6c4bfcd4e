import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { putItem } from '../../../src/mediator/writing/write-plan.js';
import { attributesOf, decodeInode } from '../../../src/namespace/state/inode-row.js';
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import { MAXIMUM_FRAME_BYTES } from '../../../src/protocol/limits.js';
import {
  encodeCancel,
  encodeFailure,
  encodeReply,
  encodeRequest,
  forMany,
  type Message,
} from '../../../src/protocol/wire/codec.js';
import { FrameReader } from '../../../src/protocol/wire/frame-reader.js';
import { SHAPE_MEMBERS } from '../../../src/protocol/wire/shapes.js';
import { arbitraryBody, normalized } from './arbitrary-body.js';

/** Reads frames from bytes that come in chunks of the given sizes, over and over; each chunk is overwritten after its use. */
function read(bytes: Uint8Array, sizes: number[] = [bytes.length]): Message[] {
  const messages: Message[] = [];
  const reader = new FrameReader((message) => messages.push(message));
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const chunk = Uint8Array.from(bytes.subarray(at, at + Math.max(1, sizes[turn % sizes.length] ?? 1)));
    at += chunk.length;
    reader.push(chunk);
    chunk.fill(0xee);
  }
  return messages;
}

function readOne(chunks: Uint8Array[]): Message {
  const [message, ...more] = read(Buffer.concat(chunks));
  assert.ok(message !== undefined);
  assert.equal(more.length, 0);
  return message;
}

const malformed = { name: 'ServiceError', code: 'MALFORMED' };

describe('codec', () => {
  it('carries any body of any service unchanged, in whatever chunks it comes', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryBody, { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 }),
        (bodies, sizes) => {
          const frames = bodies.flatMap((body, id) => [...encodeRequest(id, 'a.b', body), ...encodeReply(id, body)]);
          const messages = read(Buffer.concat(frames), sizes);
          assert.deepStrictEqual(
            messages.map(normalized),
            bodies.flatMap((body, id) => [
              { kind: 'request', id, method: 'a.b', body: normalized(body) },
              { kind: 'reply', id, body: normalized(body) },
            ]),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('encodes what several servers get once, and sends each the same as otherwise', () => {
    fc.assert(
      fc.property(arbitraryBody, (body) => {
        const shared = forMany({ ...body });
        const [one, other] = [1, 70_000].map((id) => encodeRequest(id, 'a.b', shared));
        assert.deepStrictEqual(readOne(one ?? []), readOne(encodeRequest(1, 'a.b', body)));
        assert.deepStrictEqual(readOne(other ?? []), readOne(encodeRequest(70_000, 'a.b', body)));
        // Behind the head, the very same chunks.
        assert.deepEqual(one?.length, other?.length);
        for (let at = 1; at < (one?.length ?? 0); at++) assert.equal(one?.[at], other?.[at]);
      }),
    );
  });

  it('sends longer byte arrays as they are, without a copy, behind the header and in its order', () => {
    const [one, two] = [Buffer.alloc(64, 1), Buffer.alloc(100_000, 2)];
    const chunks = encodeReply(1, { a: [{ one }], b: two, c: Buffer.alloc(63) });
    assert.equal(chunks.length, 3);
    assert.equal(chunks[1], one);
    assert.equal(chunks[2], two);
  });

  it('gives the payloads of one frame as views into one buffer', () => {
    const message = readOne(encodeReply(1, { one: Buffer.alloc(5000), two: Buffer.alloc(5000) }));
    assert.ok(message.kind === 'reply');
    const { one, two } = message.body as { one: Buffer; two: Buffer };
    assert.equal(one.buffer, two.buffer);
  });

  it('leaves out undefined members, and never changes what it was given', () => {
    const body = { a: undefined, b: { c: undefined, d: Buffer.alloc(100) }, e: 1 };
    const message = readOne(encodeReply(1, body));
    assert.ok(message.kind === 'reply');
    assert.deepStrictEqual(message.body, { b: { d: Buffer.alloc(100) }, e: 1 });
    assert.deepStrictEqual(body, { a: undefined, b: { c: undefined, d: Buffer.alloc(100) }, e: 1 });
  });

  it('keeps small bigints bigints and large whole numbers numbers', () => {
    const message = readOne(encodeReply(1, { small: 1n, large: 2 ** 52, zero: 0n, negative: -5n }));
    assert.deepStrictEqual(message, {
      kind: 'reply',
      id: 1,
      body: { small: 1n, large: 2 ** 52, zero: 0n, negative: -5n },
    });
  });

  it('carries bigints of up to 128 bits', () => {
    for (const edge of [63n, 64n, 65n, 93n, 126n, 127n]) {
      for (const value of [2n ** edge - 1n, -(2n ** edge), -(2n ** edge) + 1n]) {
        assert.deepStrictEqual(readOne(encodeRequest(1, 'a.b', { value })), {
          kind: 'request',
          id: 1,
          method: 'a.b',
          body: { value },
        });
      }
    }
  });

  it('carries errors with their class and code', () => {
    const cases: [thrown: unknown, received: Error][] = [
      [new FileError('ENOENT', 'no a.txt'), new FileError('ENOENT', 'no a.txt')],
      [new ServiceError('REFUSED', 'hooks are off'), new ServiceError('REFUSED', 'hooks are off')],
      [new ServiceError('OUTCOME_UNKNOWN', 'broke'), new ServiceError('OUTCOME_UNKNOWN', 'broke')],
      [new ServiceError('CLOSING', 'stopped'), new ServiceError('CLOSING', 'stopped')],
      [new ServiceError('NOT_LEADER', 'follows'), new ServiceError('NOT_LEADER', 'follows')],
      [new ServiceError('NOT_LEADER', 'follows', 'meta2'), new ServiceError('NOT_LEADER', 'follows', 'meta2')],
      [new TypeError('oops'), new ServiceError('FAILED', 'oops')],
      ['text', new ServiceError('FAILED', 'text')],
    ];
    for (const [thrown, received] of cases) {
      const message = readOne(encodeFailure(7, thrown));
      assert.ok(message.kind === 'failure');
      assert.deepStrictEqual(
        [message.error.name, message.error.code, message.error.message, (message.error as ServiceError).leader],
        [received.name, (received as ServiceError).code, received.message, (received as ServiceError).leader],
      );
    }
  });

  it('carries a cancellation', () => {
    assert.deepStrictEqual(readOne(encodeCancel(9)), { kind: 'cancel', id: 9 });
  });

  const unfit: Record<string, object> = {
    'a function': { f: () => 1 },
    'a symbol': { s: Symbol('s') },
    'a date': { d: new Date(0) },
    'a map': { m: new Map() },
    'undefined within an array': { a: [1, undefined] },
    'a bigint beyond 128 bits': { b: 2n ** 127n },
    'a negative bigint beyond 128 bits': { b: -(2n ** 127n) - 1n },
    'a frame beyond the limit': { a: Buffer.alloc(MAXIMUM_FRAME_BYTES) },
    'a header beyond the limit': { a: 'x'.repeat(9_000_000) },
    'nesting beyond the limit': nested(40),
  };
  for (const [name, body] of Object.entries(unfit)) {
    it(`refuses to send ${name}, and still sends the next`, () => {
      assert.throws(() => encodeRequest(1, 'a.b', body), malformed);
      assert.throws(() => encodeRequest(1, 'a.b', forMany(body)), malformed);
      assert.equal(readOne(encodeRequest(2, 'a.b', { fine: true })).id, 2);
    });
  }

  it('gives every shape a number of its own', () => {
    const names = SHAPE_MEMBERS.map((members) => members.join());
    assert.equal(new Set(names).size, names.length);
    for (const members of SHAPE_MEMBERS) {
      const body = Object.fromEntries(members.map((name, at) => [name, at]));
      const { body: received } = readOne(encodeReply(1, body)) as { body: object };
      assert.deepStrictEqual(received, body);
      assert.deepEqual(Object.keys(received), members);
    }
  });

  it('sends what travels often without the names of its members', () => {
    const base = { index: 3, version: 7, hash: 5n, length: 100 };
    const plan = { index: 3, base, baseLength: 100, length: 100, writes: [{ offset: 0, data: Buffer.alloc(9) }] };
    const row = decodeInode(Buffer.alloc(160));
    const make = {
      ...{ parent: 1, name: 'a', kind: 'file', mode: 1, umask: 0, device: 0, target: '' },
      caller: { uid: 0, gid: 0 },
    };
    const requests = [
      { ...make, exclusive: true, blockSizeBytes: 9, inode: 2 },
      { parent: 1, name: 'a', newParent: 1, newName: 'b', mode: 'exchange', held: [] },
      { parent: 1, name: 'b', held: [] },
      { inode: 2, parent: 1, name: 'c' },
      ...[{ mode: 1 }, { uid: 0, gid: 0, mode: 1 }, { modifyTimeNs: 1n }].map((changes) => ({
        ...{ inode: 2, changes, caller: { uid: 0, gid: 0 } },
      })),
    ];
    const often: Record<string, object> = {
      'early answers': { commands: requests.map((request) => ({ name: 'x', timeNs: 1n, request, id: '1' })) },
      'what became of them': { refused: [], takesChanges: true, hasRoom: true },
      put: { items: [putItem({ ...plan, whole: false }, 2, 8, null)], durable: true, replace: false },
      'whole put': { items: [putItem({ ...plan, whole: true }, 2, 8, Buffer.alloc(9))], durable: true, replace: false },
      attributes: { state: 'committed', attributes: attributesOf(row) },
    };
    for (const [name, body] of Object.entries(often)) {
      const sent = Buffer.concat(encodeReply(1, body)).toString('latin1');
      // Shorter ones may be among the values.
      const members = SHAPE_MEMBERS.flat().filter(({ length }) => length > 2);
      for (const member of members) assert.ok(!sent.includes(member), `${name}: ${member}`);
    }
  });

  it('carries the deepest body that it allows', () => {
    assert.deepStrictEqual(readOne(encodeReply(1, nested(32))), { kind: 'reply', id: 1, body: nested(32) });
  });
});

describe('frame reader', () => {
  function frameOf(header: number[], payloadBytes = 0, frameBytes = header.length + payloadBytes + 4): Buffer {
    const frame = Buffer.alloc(8 + header.length + payloadBytes);
    frame.writeUInt32BE(frameBytes, 0);
    frame.writeUInt32BE(header.length, 4);
    frame.set(header, 8);
    return frame;
  }
  /** [reply, 1, …] */
  const reply = (...body: number[]): number[] => [0x93, 1, 1, ...body];

  const cases: Record<string, Buffer> = {
    'a frame beyond the limit': frameOf([0x80], 0, MAXIMUM_FRAME_BYTES + 1),
    'a header beyond the limit': Buffer.of(0x01, 0, 0, 0, 0x00, 0x80, 0, 1),
    'a header longer than its frame': Buffer.of(0, 0, 0, 8, 0, 0, 0, 5),
    'no header': Buffer.of(0, 0, 0, 4, 0, 0, 0, 0),
    'a header that ends early': frameOf([0x93, 1]),
    'something behind the header': frameOf([...reply(0x80), 0xc0]),
    'no message': frameOf([0x80]),
    'no number': frameOf([0x93, 1, 0xc0, 0x80]),
    'an unknown kind': frameOf([0x93, 9, 1, 0x80]),
    'a request without a method': frameOf([0x94, 0, 1, 5, 0x80]),
    'a body that is an array': frameOf(reply(0x90)),
    'a body of bytes': frameOf(reply(0xc4, 1, 0)),
    'a promise of four thousand million values': frameOf(reply(0xdd, 0xff, 0xff, 0xff, 0xff)),
    'a text longer than the header': frameOf(reply(0xdb, 0xff, 0xff, 0xff, 0xff)),
    'a record definition': frameOf(reply(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1)),
    'another extension': frameOf(reply(0xd6, 0xff, 0, 0, 0, 0)),
    'an object of an unknown shape': frameOf(reply(0xd4, 0x53, 0, 0x91, 0x7f)),
    'an object of a shape that is no number': frameOf(reply(0xd4, 0x53, 0, 0x92, 0xa1, 0x61, 1)),
    'an object of no shape': frameOf(reply(0xd4, 0x53, 0, 0x90)),
    'an object with too few members': frameOf(reply(0xd4, 0x53, 0, 0x91, 0)),
    'an object with too many members': frameOf(reply(0xd4, 0x53, 0, 0x93, 0, 1, 1)),
    'an object without its values': frameOf(reply(0xd4, 0x53, 0)),
    'an object whose values are none': frameOf(reply(0xd4, 0x53, 0, 0x80)),
    'objects within objects without values': frameOf(reply(...Array(3000).fill([0xd4, 0x53, 0]).flat(), 0x90)),
    'nesting beyond the limit': frameOf([0x93, 1, 1, ...Array(40).fill(0x91), 0xc0]),
    'payloads that were not sent': frameOf(reply(0x81, 0xa1, 0x61, 0xd4, 0x50, 0, 0x64)),
    'payloads that nobody mentioned': frameOf(reply(0x80), 10),
    'a payload without a length': frameOf(reply(0x81, 0xa1, 0x61, 0xd4, 0x50, 0, 0xc0)),
    'a payload of negative length': frameOf(reply(0x81, 0xa1, 0x61, 0xd4, 0x50, 0, 0xff)),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    it(`refuses ${name}`, () => {
      assert.throws(() => read(bytes), malformed);
      assert.throws(() => read(bytes, [1]), malformed);
    });
  }

  it('refuses more values than they are worth', () => {
    const values = 1_100_000;
    const header = Buffer.alloc(3 + 2 + 5 + values, 0x80);
    header.set([0x93, 1, 1, 0x81, 0xa0, 0xdd]);
    header.writeUInt32BE(values, 6);
    assert.throws(() => read(frameOf([...header])), malformed);
  });

  it('makes no prototype out of a member', () => {
    const name = [...Buffer.from('__proto__')];
    const [message] = read(frameOf(reply(0x81, 0xa9, ...name, 0x81, 0xa1, 0x61, 1)));
    assert.ok(message?.kind === 'reply');
    assert.equal((message.body as { a?: unknown }).a, undefined);
    assert.equal(Object.getPrototypeOf(message.body), Object.prototype);
  });

  it('delivers nothing more once it is stopped, not even from the chunk at hand', () => {
    const frame = Buffer.concat(encodeCancel(1));
    let count = 0;
    const reader = new FrameReader(() => {
      count++;
      reader.stop();
    });
    reader.push(Buffer.concat([frame, frame, frame]));
    reader.push(frame);
    assert.equal(count, 1);
  });
});

/** Objects within each other. */
function nested(depth: number): object {
  return depth === 1 ? {} : { a: nested(depth - 1) };
}
