// What happens when a supervised process ends: a pure decision.
import { RESTART_BLANK_STATUS, RESTART_STATUS, TERMINATE_STATUS } from '../../protocol/exit-status.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** A process that served so long counts as healthy: its next crash starts the pauses anew. */
export const HEALTHY_AFTER_MS = 10_000;

export type Decision = { action: 'leave' } | { action: 'start'; delayMs: number; blank: boolean };

/**
 * `status` is the exit status, null after a signal; `crashesInARow` counts those before this one; `blank` says that
 * the ended process was to wipe its store and had not come up yet.
 */
export function afterExit(status: number | null, crashesInARow: number, blank: boolean): Decision {
  switch (status) {
    case TERMINATE_STATUS:
      return { action: 'leave' };
    case RESTART_STATUS:
      return { action: 'start', delayMs: 0, blank };
    case RESTART_BLANK_STATUS:
      return { action: 'start', delayMs: 0, blank: true };
    default:
      return { action: 'start', delayMs: Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** crashesInARow), blank };
  }
}

/** Whether that exit status is a request of ours and no crash. */
export function isRequested(status: number | null): boolean {
  return status === TERMINATE_STATUS || status === RESTART_STATUS || status === RESTART_BLANK_STATUS;
}
