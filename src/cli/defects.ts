// A defect ends the process with its cause in the log; going on with half a
// state would be worse.
import type { Log } from '../runtime/log.js';
import { EXIT_FAILURE } from './failure.js';

export function exitOnDefect(log: Log): void {
  const end = (error: unknown): void => {
    log.error('process.defect', { reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    process.exit(EXIT_FAILURE);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
