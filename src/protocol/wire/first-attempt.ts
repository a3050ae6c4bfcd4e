import type { Clock } from '../../runtime/clock.js';
import type { Remote } from './client.js';

/** Resolves when the first attempt to connect has succeeded, failed or taken too long; at once when its outcome is known. */
export function firstAttempt(
  remote: Pick<Remote, 'state' | 'onStateChange'>,
  clock: Clock,
  limitMs: number,
): Promise<void> {
  if (remote.state !== 'connecting') return Promise.resolve();
  return new Promise((resolve) => {
    const timer = clock.after(limitMs, resolve);
    remote.onStateChange(() => {
      timer.cancel();
      resolve();
    });
  });
}
