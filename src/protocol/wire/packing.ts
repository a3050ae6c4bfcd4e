// Values in a header, as MessagePack. Two things stand in for what travels
// otherwise: a mark for each longer byte array, which travels raw behind the
// header in the order of the marks, and a number with values for each object of
// a known shape (shapes.ts).
import type { Buffer } from 'node:buffer';
import { addExtension, Packr } from 'msgpackr';
import { assert } from '../../runtime/assert.js';
import { messageOf } from '../../runtime/caught-errors.js';
import { malformed } from '../errors.js';
import { MAXIMUM_DEPTH, MINIMUM_PAYLOAD_BYTES } from '../limits.js';
import { PAYLOAD_EXTENSION, SHAPE_EXTENSION } from './header-check.js';
import { SHAPE_PATHS, type ShapePath, shaped } from './shapes.js';

/** Stands in the header for a byte array that travels behind it. */
class PayloadMark {
  constructor(readonly lengthBytes: number) {}
}

/** Stands in the header for an object of a known shape: the shape's number and the values of its members. */
class ShapedObject {
  constructor(readonly values: readonly unknown[]) {}
}

/** The payloads of the header that is being decoded. Decoding is synchronous, so there is one at a time. */
let payloads: Uint8Array = new Uint8Array(0);
let payloadsTaken = 0;

// Extensions are global to the library. These have classes and numbers of their own, so its other users never meet them.
addExtension({
  Class: PayloadMark,
  type: PAYLOAD_EXTENSION,
  write: (mark: PayloadMark) => mark.lengthBytes,
  read: (lengthBytes: number) => {
    const start = payloadsTaken;
    payloadsTaken += lengthBytes;
    return payloads.subarray(start, payloadsTaken);
  },
});

addExtension({
  Class: ShapedObject,
  type: SHAPE_EXTENSION,
  write: ({ values }: ShapedObject) => values,
  read: (values: unknown[]) => {
    const object = shaped(values);
    if (object === undefined) throw malformed('an object of an unknown shape');
    return object;
  },
});

// Records are off: the decoder would compile code for the definitions that a peer sends. Small byte arrays are copied out of the
// chunk that they came in, which is used again.
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  copyBuffers: true,
  useToJSON: false,
  useBigIntExtension: true,
});

/** The largest bigint that travels; the smallest is one less than its negative. */
const LARGEST_BIGINT = 2n ** 127n - 1n;

/** Encodes what `lift` answered. */
export function pack(value: unknown, options: number): Buffer {
  try {
    return packr.pack(value, options);
  } catch (error) {
    throw malformed(`the message can't be encoded: ${messageOf(error)}`);
  }
}

/** Decodes bytes[start … end). Byte arrays of the result are views into `framePayloads`. Throws MALFORMED. */
export function unpack(bytes: Buffer, start: number, end: number, framePayloads: Uint8Array): unknown {
  payloads = framePayloads;
  payloadsTaken = 0;
  let value: unknown;
  try {
    value = packr.unpack(bytes, { start, end });
  } catch (error) {
    throw malformed(`the header can't be decoded: ${messageOf(error)}`);
  }
  assert(payloadsTaken === framePayloads.length, 'the header was checked: its marks take all payloads');
  return value;
}

/**
 * Prepares a value for `pack`: moves its longer byte arrays to `lifted` and leaves marks in their places, replaces objects of
 * known shapes, and drops undefined members. Returns the value itself when there is nothing of these; never changes it. Throws
 * MALFORMED for a value that can't travel. This is on the way of every message.
 */
export function lift(value: object, depth: number, lifted: Uint8Array[]): object {
  if (depth > MAXIMUM_DEPTH) throw malformed(`values nested deeper than ${MAXIMUM_DEPTH}`);
  if (Array.isArray(value)) return liftArray(value, depth, lifted);
  if (value instanceof Uint8Array) {
    if (value.length < MINIMUM_PAYLOAD_BYTES) return value;
    lifted.push(value);
    return new PayloadMark(value.length);
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw malformed(`a ${value.constructor?.name ?? 'special object'} can't travel`);
  }
  return liftObject(value as Record<string, unknown>, depth, lifted);
}

function liftArray(values: unknown[], depth: number, lifted: Uint8Array[]): unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < values.length; index++) {
    const member = values[index];
    if (typeof member !== 'object' || member === null) {
      checkScalar(member);
      if (member === undefined) throw malformed('undefined within an array');
      continue;
    }
    const moved = lift(member, depth + 1, lifted);
    if (moved === member) continue;
    copy ??= values.slice();
    copy[index] = moved;
  }
  return copy ?? values;
}

function liftObject(value: Record<string, unknown>, depth: number, lifted: Uint8Array[]): object {
  const values: unknown[] = [0];
  let path: ShapePath | undefined = SHAPE_PATHS;
  let isSame = true;
  for (const key in value) {
    const member = value[key];
    let moved = member;
    if (typeof member === 'object' && member !== null) {
      moved = lift(member, depth + 1, lifted);
    } else if (member === undefined) {
      isSame = false;
      continue;
    } else {
      checkScalar(member);
    }
    if (moved !== member) isSame = false;
    values.push(moved);
    path = path?.next.get(key);
  }
  if (path?.number !== undefined) {
    values[0] = path.number;
    return new ShapedObject(values);
  }
  return isSame ? value : withMembers(value, values);
}

/** A copy of the object without undefined members, whose values are those in `values` from the second on. */
function withMembers(value: Record<string, unknown>, values: readonly unknown[]): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  let at = 1;
  for (const key in value) if (value[key] !== undefined) copy[key] = values[at++];
  return copy;
}

function checkScalar(value: unknown): void {
  const type = typeof value;
  if (type === 'function' || type === 'symbol') throw malformed(`a ${type} can't travel`);
  if (typeof value === 'bigint' && (value > LARGEST_BIGINT || value < -LARGEST_BIGINT - 1n)) {
    throw malformed("a bigint beyond 128 bits can't travel");
  }
}
