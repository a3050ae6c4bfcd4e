// Random and mutated frames: the reader delivers messages or refuses with
// MALFORMED, and does nothing else: no other error, no other memory.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { ServiceError } from '../../src/protocol/errors.js';
import {
  ClientHandshake,
  type Handshake,
  NONCE_BYTES,
  ServerHandshake,
} from '../../src/protocol/wire/authentication.js';
import { encodeRequest } from '../../src/protocol/wire/codec.js';
import { FrameReader } from '../../src/protocol/wire/frame-reader.js';
import { arbitraryBody } from '../unit/protocol/arbitrary-body.js';

const RUNS = 3_000;
/** Making random bodies takes far longer than reading them: each is broken in so many ways. */
const WAYS = 8;

function feed(bytes: Uint8Array, chunkBytes: number): void {
  const reader = new FrameReader(({ kind, id }) => {
    assert.equal(typeof kind, 'string');
    assert.ok(Number.isInteger(id));
  });
  try {
    for (let at = 0; at < bytes.length; at += chunkBytes) reader.push(bytes.slice(at, at + chunkBytes));
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'MALFORMED') throw error;
  }
}

describe('fuzz: frames', function () {
  this.timeout(60_000);

  it('random bytes behind a plausible prefix', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (header, chunk) => {
        const prefix = Buffer.alloc(8);
        prefix.writeUInt32BE(header.length + 4, 0);
        prefix.writeUInt32BE(header.length, 4);
        feed(Buffer.concat([prefix, header]), chunk);
      }),
      { numRuns: RUNS },
    );
  });

  it('good frames with bytes changed, taken out and put in', () => {
    const mutation = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom('change', 'remove', 'insert'),
      value: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(
        fc.array(arbitraryBody, { minLength: 1, maxLength: 3 }),
        fc.array(fc.array(mutation, { minLength: 1, maxLength: 6 }), { minLength: WAYS, maxLength: WAYS }),
        fc.integer({ min: 1, max: 5000 }),
        (bodies, ways, chunk) => {
          const good = Buffer.concat(bodies.flatMap((body, id) => encodeRequest(id, 'a.b', body)));
          for (const mutations of ways) {
            let bytes = good;
            for (const { at, kind, value } of mutations) {
              const place = at % Math.max(1, bytes.length);
              const before = bytes.subarray(0, place);
              const after = bytes.subarray(kind === 'insert' ? place : place + 1);
              bytes = Buffer.concat(kind === 'remove' ? [before, after] : [before, Buffer.of(value), after]);
            }
            feed(bytes, chunk);
          }
        },
      ),
      { numRuns: RUNS / 3 / WAYS },
    );
  });

  it('random handshakes are refused or go on, on either side, with and without a secret', () => {
    const nonce = new Uint8Array(NONCE_BYTES);
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 80 }), { maxLength: 4 }),
        fc.constantFrom(undefined, 'secret'),
        fc.boolean(),
        (bodies, secret, server) => {
          const side: Handshake = server ? new ServerHandshake(secret, nonce) : new ClientHandshake(secret, nonce);
          for (const body of bodies) {
            const { state } = side.receive(body);
            assert.ok(secret === undefined || state !== 'open');
            if (state !== 'going') return;
          }
        },
      ),
      { numRuns: RUNS },
    );
  });
});
