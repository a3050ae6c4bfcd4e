// How V8 is to treat processes that serve: they live for days, do the same few
// things, and are often idle in between.
import { setFlagsFromString } from 'node:v8';

/**
 * For the command line of a process that serves; V8 looks at it only then. After ten idle seconds V8 collects garbage to make
 * the heap smaller, and what it has compiled is thrown away with the objects that it was compiled for: measured here, an
 * fsync a minute later took 4 ms instead of 2, and a thousand of them until it was as before.
 */
export const SERVING_OPTIONS: readonly string[] = ['--no-memory-reducer'];

/** Bytes of bytecode that a function runs through before V8 looks whether to compile it; 132 KiB by itself. */
const INTERRUPT_BUDGET_BYTES = 20_000;

/**
 * Tells V8 to compile what runs often six times earlier than it does by itself, before a process loads what it serves with.
 * Measured on a mount made just now, its first thousand operations take 20 to 40 % less time.
 */
export function compileEarly(): void {
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET_BYTES}`);
}
