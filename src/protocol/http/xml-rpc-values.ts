// Values between JavaScript and the package xmlrpc, so that every client reads
// what was meant: Python's is the measure.
import { Buffer } from 'node:buffer';
import CustomType from 'xmlrpc/lib/customtype.js';
import { MAXIMUM_DEPTH } from '../limits.js';

/**
 * What XML-RPC carries. On the way out:
 * - whole numbers beyond 32 bits become <double>, exact up to 2^53: <int> ends at 32 bits by the specification
 * - text that XML can't hold (control characters, halves of surrogate pairs) becomes <base64> of its UTF-8
 * - dates are in UTC, whole seconds, without a zone
 * - null becomes <nil/>, which Python reads though it must be told to send it
 * On the way in, <base64> becomes a Buffer and <i8> text.
 */
export type XmlRpcValue =
  | string
  | number
  | boolean
  | Date
  | Uint8Array
  | XmlRpcValue[]
  | { [key: string]: XmlRpcValue }
  | null;

/** A value can't be sent or was not understood. */
export class XmlRpcValueError extends Error {
  override readonly name = 'XmlRpcValueError';
}

/** Text by itself, always escaped: the package puts some into CDATA, which loses carriage returns. */
class Text extends CustomType {
  override tagName = 'string';
}

class Double extends CustomType {
  override tagName = 'double';
}

class DateTime extends CustomType {
  override tagName = 'dateTime.iso8601';
}

/** What XML 1.0 calls a Char, and nothing else. */
const XML_TEXT = /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]*$/u;

/** A value as the package's serializer takes it. Throws XmlRpcValueError. */
export function toPackage(value: XmlRpcValue, depth = 0): unknown {
  if (depth > MAXIMUM_DEPTH) throw new XmlRpcValueError(`values nested deeper than ${MAXIMUM_DEPTH}`);
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return XML_TEXT.test(value) ? new Text(value) : Buffer.from(value, 'utf8');
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new XmlRpcValueError(`${value} is no number that XML-RPC carries`);
    return (value | 0) === value ? value : new Double(String(value));
  }
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new XmlRpcValueError('an invalid date');
    return new DateTime(value.toISOString().slice(0, 19).replaceAll('-', ''));
  }
  if (Array.isArray(value)) return value.map((member) => toPackage(member, depth + 1));
  if (typeof value === 'object') {
    const members: [string, unknown][] = [];
    for (const [key, member] of Object.entries(value)) {
      if (!XML_TEXT.test(key)) throw new XmlRpcValueError('the name of a member that XML can not hold');
      members.push([key, toPackage(member, depth + 1)]);
    }
    return Object.fromEntries(members);
  }
  throw new XmlRpcValueError(`a ${typeof value} can't be sent by XML-RPC`);
}

/** A value of the package's deserializer. Throws XmlRpcValueError when it is nested too deep. */
export function fromPackage(value: unknown, depth = 0): XmlRpcValue {
  if (depth > MAXIMUM_DEPTH) throw new XmlRpcValueError(`values nested deeper than ${MAXIMUM_DEPTH}`);
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (value instanceof Uint8Array) return value;
  // The package takes a time without a zone for local; on the wire it is UTC.
  if (value instanceof Date) return new Date(value.getTime() - value.getTimezoneOffset() * 60_000);
  if (Array.isArray(value)) return value.map((member) => fromPackage(member, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fromPackage(member, depth + 1)]));
}
