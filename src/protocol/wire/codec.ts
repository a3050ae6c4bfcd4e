// Messages as frames, and back:
//   u32 length of what follows, u32 header length, header, payloads
// Numbers are big-endian. The header is a MessagePack array: see packing.ts. The
// longer byte arrays of the body are the payloads. Sending never copies them; the
// receiver gets views into one buffer per frame.
import type { Buffer } from 'node:buffer';
import { RESERVE_START_SPACE } from 'msgpackr';
import { messageOf } from '../../runtime/caught-errors.js';
import { FileError, type FileErrorCode, malformed, ServiceError, type ServiceErrorCode } from '../errors.js';
import { MAXIMUM_FRAME_BYTES, MAXIMUM_HEADER_BYTES } from '../limits.js';
import { lift, pack, unpack } from './packing.js';

/** The two lengths in front of a header. */
export const PREFIX_BYTES = 8;

export type Message =
  | { kind: 'request'; id: number; method: string; body: object }
  | { kind: 'reply'; id: number; body: object }
  | { kind: 'failure'; id: number; error: FileError | ServiceError }
  /** The caller no longer wants the reply. The server sends one all the same: every request gets exactly one. */
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
  'OUTCOME_UNKNOWN',
  'NOT_LEADER',
  'FENCED',
  'CLOSING',
  'DEADLINE',
  'CANCELLED',
  'MALFORMED',
  'UNKNOWN_METHOD',
  'REFUSED',
  'NO_SESSION',
  'FAILED',
]);

interface EncodedBody {
  bytes: Uint8Array;
  lifted: Uint8Array[];
}

/** The encoding of each marked body; null until the first request with it. */
const bodiesForMany = new WeakMap<object, EncodedBody | null>();

/** Marks a request's body that goes to several servers: it is encoded once, so it must not change any more. */
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
  if (error instanceof ServiceError) {
    const { code, message, leader } = error;
    return frame([FAILURE, id, SERVICE_ERROR, code, message, ...(leader === undefined ? [] : [leader])], []);
  }
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
  const header = unpack(bytes, start, end, framePayloads);
  if (!Array.isArray(header)) throw malformed('the header is no array');
  const [kind, id, first, second, third, fourth] = header as unknown[];
  if (typeof id !== 'number' || id >>> 0 !== id) throw malformed('a message without a number');
  switch (kind) {
    case REQUEST:
      if (typeof first !== 'string') throw malformed('a request without a method');
      return { kind: 'request', id, method: first, body: plainObject(second) };
    case REPLY:
      return { kind: 'reply', id, body: plainObject(first) };
    case FAILURE:
      return { kind: 'failure', id, error: decodeError(first, second, third, fourth) };
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

function plainObject(value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw malformed('a body that is no object');
  }
  return value;
}

function decodeError(kind: unknown, code: unknown, message: unknown, leader: unknown): FileError | ServiceError {
  if (typeof code !== 'string' || typeof message !== 'string') throw malformed('a failure without code and message');
  if (kind === FILE_ERROR) return new FileError(code as FileErrorCode, message);
  // An unknown code comes from a newer peer: the message says what it means.
  if (!SERVICE_ERROR_CODES.has(code)) return new ServiceError('FAILED', `${code}: ${message}`);
  return new ServiceError(code as ServiceErrorCode, message, typeof leader === 'string' ? leader : undefined);
}
