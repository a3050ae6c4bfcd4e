// States what must be true unless the program itself is wrong. Input from users
// or the network is refused instead.
import { AssertionError } from 'node:assert';

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError({ message });
}
