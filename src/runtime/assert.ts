// States what must be true. Only a fault of this program can make an assertion fail: what users, the network or the disk
// bring is checked and refused instead.

/** Something that must always be true was not: the program is wrong, and its state can't be trusted any more. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
