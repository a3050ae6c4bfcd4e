// Which errors only a fault of this program can cause. Background work tries
// again after every other error; these end the process, with their stack in
// the log, and its supervisor starts a new one.
import { AssertionError } from './assert.js';

/** Trying again can't help after such an error, and the state that was being worked on can't be trusted. */
export function isProgramFault(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof AssertionError
  );
}

/** For the `catch` of background work. Nobody may catch what this throws: an unhandled rejection is what ends the process. */
export function rethrowProgramFault(error: unknown): void {
  if (isProgramFault(error)) throw error;
}
