// Bodies that services may send, made at random, and the comparison that the
// transport promises: byte arrays by their bytes, all else exactly.
import fc from 'fast-check';
import { SHAPE_MEMBERS } from '../../../src/protocol/wire/shapes.js';

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc.integer({ min: 60, max: 5000 }).map((size) => Buffer.alloc(size, size)),
);

const scalar = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double().map((value) => (Object.is(value, -0) ? 0 : value)),
  fc.boolean(),
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  bytes,
);

const key = fc.oneof(
  fc.string(),
  fc.constantFrom('constructor', 'toString', 'toJSON', 'hasOwnProperty', 'length', 'data'),
);

/** A plain object as service.ts allows it. */
export const arbitraryBody: fc.Arbitrary<Record<string, unknown>> = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 5, depthSize: 'small' }, scalar, tie('array'), tie('object'), tie('shaped')),
  array: fc.array(tie('value'), { maxLength: 6 }),
  // Some with a member too few, or one of them undefined.
  shaped: fc
    .record({
      members: fc.constantFrom(...SHAPE_MEMBERS),
      values: fc.array(tie('value'), { minLength: 15, maxLength: 15 }),
      left: fc.integer({ min: -20, max: 15 }),
    })
    .map(({ members, values, left }) =>
      Object.fromEntries(members.map((name, at) => [name, values[at]]).filter((_, at) => at !== left)),
    ),
  object: fc.dictionary(
    key.filter((name) => name !== '__proto__'),
    tie('value'),
    { maxKeys: 6, noNullPrototype: true },
  ),
})).object as fc.Arbitrary<Record<string, unknown>>;

/** The same value with every byte array as a Buffer. */
export function normalized(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(Uint8Array.from(value));
  if (Array.isArray(value)) return value.map(normalized);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, normalized(member)]));
  }
  return value;
}
