// A program's fault that nothing handles ends the process, with its stack in the
// log: its state can't be trusted any more. The supervisor starts a new one.
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
