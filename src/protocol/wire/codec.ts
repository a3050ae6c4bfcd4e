// Messages as frames, and back:
//   u32 length of what follows, u32 header length, header, payloads
// numbers big-endian. The header is a MessagePack array. Byte arrays of the
// body travel raw behind it, in the order of their marks, and are never copied
// on sending; the receiver gets views into one buffer per frame.
import type { Buffer } from 'node:buffer';
import { addExtension, Packr, RESERVE_START_SPACE } from 'msgpackr';
import { messageOf } from '../../runtime/caught-errors.js';
import { FileError, type FileErrorCode, malformed, ServiceError, type ServiceErrorCode } from '../errors.js';
import { MAXIMUM_DEPTH, MAXIMUM_FRAME_BYTES, MAXIMUM_HEADER_BYTES, MINIMUM_PAYLOAD_BYTES } from '../limits.js';
import { PAYLOAD_EXTENSION, SHAPE_EXTENSION } from './header-check.js';
import { SHAPE_PATHS, type ShapePath, shaped } from './shapes.js';

/** The two lengths in front of a header. */
export const PREFIX_BYTES = 8;

export type Message =
  | { kind: 'request'; id: number; method: string; body: object }
  | { kind: 'reply'; id: number; body: object }
  | { kind: 'failure'; id: number; error: FileError | ServiceError }
  /** The caller no longer wants the reply. It is sent all the same: every request gets exactly one. */
  | { kind: 'cancel'; id: number };

const REQUEST = 0;
const REPLY = 1;
const FAILURE = 2;
const CANCEL = 3;
const FILE_ERROR = 0;
const SERVICE_ERROR = 1;

/** MessagePack's first byte of an array of up to 15 members, whose number is in its lower half. */
const SMALL_ARRAY = 0x90;

const SERVICE_ERROR_CODES: ReadonlySet<string> = new Set<ServiceErrorCode>([
  'UNREACHABLE',
  'DEADLINE',
  'CANCELLED',
  'MALFORMED',
  'UNKNOWN_METHOD',
  'REFUSED',
  'NO_SESSION',
  'FAILED',
]);

/** Stands in the header for a byte array that travels behind it. */
class PayloadMark {
  constructor(readonly lengthBytes: number) {}
}

/** Stands in the header for an object of a known shape: the shape's number and the values of its members. */
class ShapedObject {
  constructor(readonly values: readonly unknown[]) {}
}

/** The payloads of the header that is being decoded; decoding is never interrupted. */
let payloads: Uint8Array = new Uint8Array(0);
let payloadsTaken = 0;

// The extensions are known by their own classes and numbers, so other users of the library are not affected.
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

// No records: their definitions are compiled as code by the decoder. Small byte arrays are copied out of the chunk they came in.
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

interface EncodedBody {
  bytes: Uint8Array;
  lifted: Uint8Array[];
}

/** null: until the first request with it. */
const bodiesForMany = new WeakMap<object, EncodedBody | null>();

/** Marks a request's body that several servers get: it is encoded once, and must not be changed any more. */
export function forMany<T extends object>(body: T): T {
  bodiesForMany.set(body, null);
  return body;
}

/** The frame of a request, as chunks. Throws MALFORMED for a body that can't travel. */
export function encodeRequest(id: number, method: string, body: object): Uint8Array[] {
  const known = bodiesForMany.get(body);
  if (known === undefined) {
    const lifted: Uint8Array[] = [];
    return frame([REQUEST, id, method, lift(body, 1, lifted)], lifted);
  }
  const encoded = known ?? encodeBody(body);
  bodiesForMany.set(body, encoded);
  return frame([REQUEST, id, method], encoded.lifted, encoded.bytes);
}

function encodeBody(body: object): EncodedBody {
  const lifted: Uint8Array[] = [];
  return { bytes: pack(lift(body, 1, lifted), 0), lifted };
}

/** The frame of a reply, as chunks. Throws MALFORMED for a body that can't travel. */
export function encodeReply(id: number, body: object): Uint8Array[] {
  const lifted: Uint8Array[] = [];
  return frame([REPLY, id, lift(body, 1, lifted)], lifted);
}

/** The frame of a failure. Errors of other classes cross as FAILED with their message. */
export function encodeFailure(id: number, error: unknown): Uint8Array[] {
  if (error instanceof FileError) {
    const prefix = `${error.code}: `;
    const words = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
    return frame([FAILURE, id, FILE_ERROR, error.code, words], []);
  }
  if (error instanceof ServiceError) return frame([FAILURE, id, SERVICE_ERROR, error.code, error.message], []);
  const words = messageOf(error);
  return frame([FAILURE, id, SERVICE_ERROR, 'FAILED', words], []);
}

export function encodeCancel(id: number): Uint8Array[] {
  return frame([CANCEL, id], []);
}

/**
 * Decodes a header that `checkHeader` has passed, in bytes[start … end). Byte arrays of the result are views into
 * `framePayloads`, which may still be filled later. Throws MALFORMED.
 */
export function decodeMessage(bytes: Buffer, start: number, end: number, framePayloads: Uint8Array): Message {
  payloads = framePayloads;
  payloadsTaken = 0;
  let header: unknown;
  try {
    header = packr.unpack(bytes, { start, end });
  } catch (error) {
    throw malformed(`the header can't be decoded: ${error instanceof Error ? error.message : error}`);
  }
  if (!Array.isArray(header)) throw malformed('the header is no array');
  const [kind, id, first, second, third] = header as unknown[];
  if (typeof id !== 'number' || id >>> 0 !== id) throw malformed('a message without a number');
  switch (kind) {
    case REQUEST:
      if (typeof first !== 'string') throw malformed('a request without a method');
      return { kind: 'request', id, method: first, body: plainObject(second) };
    case REPLY:
      return { kind: 'reply', id, body: plainObject(first) };
    case FAILURE:
      return { kind: 'failure', id, error: decodeError(first, second, third) };
    case CANCEL:
      return { kind: 'cancel', id };
    default:
      throw malformed('a message of an unknown kind');
  }
}

/**
 * The chunks of a frame around a header.
 * @param last the header's last member, encoded already
 */
function frame(header: unknown[], lifted: Uint8Array[], last?: Uint8Array): Uint8Array[] {
  const head = pack(header, RESERVE_START_SPACE | PREFIX_BYTES);
  if (last !== undefined) head[PREFIX_BYTES] = SMALL_ARRAY | (header.length + 1);
  const headerBytes = head.length - PREFIX_BYTES + (last?.length ?? 0);
  if (headerBytes > MAXIMUM_HEADER_BYTES) throw malformed(`a header of ${headerBytes} bytes`);
  let length = headerBytes + 4;
  for (const payload of lifted) length += payload.length;
  if (length > MAXIMUM_FRAME_BYTES) throw malformed(`a message of ${length} bytes`);
  head.writeUInt32BE(length, 0);
  head.writeUInt32BE(headerBytes, 4);
  if (last !== undefined) return [head, last, ...lifted];
  return lifted.length === 0 ? [head] : [head, ...lifted];
}

function pack(value: unknown, options: number): Buffer {
  try {
    return packr.pack(value, options);
  } catch (error) {
    throw malformed(`the message can't be encoded: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Moves the longer byte arrays of a value to `lifted` and leaves marks, and puts the values of known shapes in the place of
 * their objects. What holds nothing of these and no undefined member is returned as it is; the rest is copied, never changed.
 * This is on the way of every message.
 */
function lift(value: object, depth: number, lifted: Uint8Array[]): object {
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

/** The object with its members as they are in `values`, behind the first, and without undefined ones. */
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

function plainObject(value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw malformed('a body that is no object');
  }
  return value;
}

function decodeError(kind: unknown, code: unknown, message: unknown): FileError | ServiceError {
  if (typeof code !== 'string' || typeof message !== 'string') throw malformed('a failure without code and message');
  if (kind === FILE_ERROR) return new FileError(code as FileErrorCode, message);
  // A code that this side does not know comes from a newer peer; what it means is in its words.
  if (!SERVICE_ERROR_CODES.has(code)) return new ServiceError('FAILED', `${code}: ${message}`);
  return new ServiceError(code as ServiceErrorCode, message);
}
