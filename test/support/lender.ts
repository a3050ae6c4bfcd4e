// Lends bytes as connections do, and spoils them when they are given back, as
// their next use would: who looks at them afterwards sees it.
import { lend } from '../../src/protocol/wire/lent.js';

/** In the place of bytes that were given back. */
const SPOILT = 0xee;

export class Lender {
  /** Times that something was lent and not given back. */
  outstanding = 0;

  /** @param bytes that belong to `thing`, and to nobody else */
  lend<T extends object>(thing: T, bytes: readonly Uint8Array[]): T {
    this.outstanding++;
    return lend(thing, () => {
      this.outstanding--;
      for (const each of bytes) each.fill(SPOILT);
    });
  }
}
