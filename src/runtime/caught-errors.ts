// What was caught: anything can be thrown, mostly an Error, of the system with
// a code. Looking at it, and telling of it.
import { isProgramFault } from './faults.js';

/** What a log line holds of an error. */
export type ErrorFields = {
  reason: string;
  /** The error's stable code, as ENOSPC or UNREACHABLE. */
  code?: string;
  /** Where it was thrown; only of an error that nobody expects. */
  stack?: string;
};

/** An error with a code (FileError, ServiceError, a system error) is expected and logged without its stack. */
export function errorFields(error: unknown): ErrorFields {
  const fields: ErrorFields = { reason: String(error) };
  const code = codeOf(error);
  if (typeof code === 'string') fields.code = code;
  if (typeof code !== 'string' || isProgramFault(error)) fields.stack = stackOf(error);
  return fields;
}

/** The error's name for its cause, as `ENOSPC`; undefined when it has none. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

export function hasCode(error: unknown, code: string): boolean {
  return codeOf(error) === code;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The error with the places that it was thrown from. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
