// Checks an encoded header before it is decoded, so that no peer can make the
// decoder use too much memory or stack. Only what our own encoder writes passes:
// MessagePack without timestamps, records or floats of 32 bits, and three
// extensions: payload marks, objects by shape, large whole numbers.
import { malformed } from '../errors.js';
import { MAXIMUM_DEPTH, MAXIMUM_HEADER_VALUES } from '../limits.js';

/** MessagePack extension type of a payload mark: fixext 1, this type, a filling byte, then the payload's length as a number. */
export const PAYLOAD_EXTENSION = 0x50;

/** MessagePack extension type of an object by its shape: fixext 1, this type, a filling byte, then an array: see shapes.ts. */
export const SHAPE_EXTENSION = 0x53;

/** MessagePack extension type that msgpackr gives a bigint beyond 64 bits, here always of 128. */
const LARGE_NUMBER_EXTENSION = 0x42;

/** The message's own array is around the body. */
const ENVELOPE_DEPTH = 1;

const counts = new Float64Array(MAXIMUM_DEPTH + ENVELOPE_DEPTH);

/**
 * Checks the header in bytes[start … end) and returns the sum of the payload lengths that it speaks of.
 * Throws MALFORMED.
 */
export function checkHeader(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let depth = 0;
  let remaining = 1;
  let values = 0;
  let payloadBytes = 0;
  for (;;) {
    while (remaining === 0) {
      if (depth === 0) {
        if (at !== end) throw malformed(`${end - at} bytes follow the header's value`);
        return payloadBytes;
      }
      remaining = counts[--depth] ?? 0;
    }
    remaining--;
    if (at >= end) throw malformed('the header ends within a value');
    const token = bytes[at++] ?? 0;
    // Small numbers, the commonest.
    if (token < 0x80 || token >= 0xe0) continue;
    let children = 0;
    if (token < 0x90) children = (token & 0x0f) * 2;
    else if (token < 0xa0) children = token & 0x0f;
    else if (token < 0xc0) at += token & 0x1f;
    else {
      switch (token) {
        case 0xc0: // null, false, true
        case 0xc2:
        case 0xc3:
          continue;
        case 0xc4: // bytes
        case 0xd9: // text
          at += 1 + unsigned(bytes, at, 1, end);
          break;
        case 0xc5:
        case 0xda:
          at += 2 + unsigned(bytes, at, 2, end);
          break;
        case 0xc6:
        case 0xdb:
          at += 4 + unsigned(bytes, at, 4, end);
          break;
        case 0xcb: // numbers
        case 0xcf:
        case 0xd3:
          at += 8;
          break;
        case 0xcc:
        case 0xd0:
          at += 1;
          break;
        case 0xcd:
        case 0xd1:
          at += 2;
          break;
        case 0xce:
        case 0xd2:
          at += 4;
          break;
        case 0xd4: {
          if (bytes[at] === SHAPE_EXTENSION && bytes[at + 1] === 0) {
            at += 2;
            if (!isArray(bytes[at])) throw malformed('an object without values');
            remaining++;
            break;
          }
          if (bytes[at] !== PAYLOAD_EXTENSION || bytes[at + 1] !== 0) throw malformed('an unknown extension');
          const [length, next] = payloadLength(bytes, at + 2, end);
          payloadBytes += length;
          at = next;
          break;
        }
        case 0xd8: // 16 bytes of an extension
          if (bytes[at] !== LARGE_NUMBER_EXTENSION) throw malformed('an unknown extension');
          at += 17;
          break;
        case 0xdc: // arrays
          children = unsigned(bytes, at, 2, end);
          at += 2;
          break;
        case 0xdd:
          children = unsigned(bytes, at, 4, end);
          at += 4;
          break;
        case 0xde: // objects
          children = unsigned(bytes, at, 2, end) * 2;
          at += 2;
          break;
        case 0xdf:
          children = unsigned(bytes, at, 4, end) * 2;
          at += 4;
          break;
        default:
          throw malformed(`a value of the unknown type 0x${token.toString(16)}`);
      }
    }
    if (at > end) throw malformed('the header ends within a value');
    if (children === 0 && !opensContainer(token)) continue;
    // Every child takes a byte at least, so a count beyond the rest is a lie.
    if (children > end - at) throw malformed(`${children} values are promised in ${end - at} bytes`);
    values += children;
    if (values > MAXIMUM_HEADER_VALUES) throw malformed(`more than ${MAXIMUM_HEADER_VALUES} values`);
    if (depth === counts.length) throw malformed(`values nested deeper than ${MAXIMUM_DEPTH}`);
    counts[depth++] = remaining;
    remaining = children;
  }
}

/** Of up to 65,535 members. */
function isArray(token: number | undefined): boolean {
  return token !== undefined && ((token >= 0x90 && token < 0xa0) || token === 0xdc);
}

function opensContainer(token: number): boolean {
  return (token >= 0x80 && token < 0xa0) || (token >= 0xdc && token <= 0xdf);
}

/** A big-endian number of `size` bytes. */
function unsigned(bytes: Uint8Array, at: number, size: number, end: number): number {
  if (at + size > end) throw malformed('the header ends within a length');
  let value = 0;
  for (let offset = 0; offset < size; offset++) value = value * 256 + (bytes[at + offset] ?? 0);
  return value;
}

/** The length behind a payload mark, and where it ends. */
function payloadLength(bytes: Uint8Array, at: number, end: number): [length: number, next: number] {
  const token = at < end ? (bytes[at] ?? 0) : 0xc1;
  if (token < 0x80) return [token, at + 1];
  if (token === 0xcc) return [unsigned(bytes, at + 1, 1, end), at + 2];
  if (token === 0xcd) return [unsigned(bytes, at + 1, 2, end), at + 3];
  if (token === 0xce) return [unsigned(bytes, at + 1, 4, end), at + 5];
  throw malformed('a payload without a length');
}
