// A defect ends the process with its cause in the log; going on with half a
// state would be worse.
import { errorFields, stackOf } from '../runtime/caught-errors.js';
import type { Log } from '../runtime/log.js';
import { EXIT_FAILURE } from './failure.js';

export function exitOnDefect(log: Log): void {
  const end = (error: unknown): void => {
    log.error('process.defect', { ...errorFields(error), stack: stackOf(error) });
    process.exit(EXIT_FAILURE);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
