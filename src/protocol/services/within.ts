// Waiting within the limits of a call for work that others may wait for too.
import type { Clock } from '../../runtime/clock.js';
import { ServiceError } from '../errors.js';
import type { CallOptions } from './service.js';

/** What is left of a call's limits, whenever it is asked: for calls that take several steps, or attempts. @param deadlineMs of calls without one */
export function limitsFromNow(
  options: CallOptions,
  deadlineMs: number,
  clock: Clock,
): () => CallOptions & { deadlineMs: number } {
  const endMs = clock.monotonicMs() + (options.deadlineMs ?? deadlineMs);
  return () => ({ ...options, deadlineMs: endMs - clock.monotonicMs() });
}

/** The work's outcome. Fails with DEADLINE, or with CANCELLED when the signal aborts; the work itself goes on then. */
export function within<T>(
  work: Promise<T>,
  { deadlineMs, signal }: CallOptions,
  clock: Clock,
  what: string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (error: ServiceError) => {
      clear();
      reject(error);
    };
    const cancel = () => end(new ServiceError('CANCELLED', `given up while waiting for ${what}`));
    const timer =
      deadlineMs === undefined
        ? undefined
        : clock.after(Math.max(0, deadlineMs), () =>
            end(new ServiceError('DEADLINE', `waited ${Math.round(deadlineMs)} ms for ${what}`)),
          );
    const clear = () => {
      timer?.cancel();
      signal?.removeEventListener('abort', cancel);
    };
    work.then(resolve, reject).finally(clear);
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
  });
}
