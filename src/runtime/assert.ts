// States what only a fault of this program could make false.
import { AssertionError } from 'node:assert';

/** Throws AssertionError unless the condition holds. Not for what users or the network send: that is refused with an error of its own. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError({ message });
}
