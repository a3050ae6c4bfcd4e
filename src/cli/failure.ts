// How a subcommand fails: one clear line on stderr and an exit status.
import { ConfigError } from '../config.js';
import { FileError, ServiceError } from '../protocol/errors.js';
import { stackOf } from '../runtime/caught-errors.js';

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** Something that a person can act on went wrong; the message is all that is printed. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  constructor(
    message: string,
    readonly status: number = EXIT_FAILURE,
  ) {
    super(message);
  }
}

/** The arguments can't be carried out as they stand. */
export function usageError(message: string): CommandFailure {
  return new CommandFailure(message, EXIT_USAGE);
}

/** What is printed for an error, and the status that the process ends with. */
export function describeFailure(error: unknown): { text: string; status: number } {
  if (error instanceof CommandFailure) {
    return { text: error.message, status: error.status };
  }
  if (error instanceof ConfigError || error instanceof FileError || error instanceof ServiceError) {
    return { text: error.message, status: EXIT_FAILURE };
  }
  if (error instanceof Error && 'code' in error) {
    // A system error (EACCES, ENOSPC …): its message names call and path.
    return { text: error.message, status: EXIT_FAILURE };
  }
  return { text: stackOf(error), status: EXIT_FAILURE };
}
