// A server that comes later tells the others where it is.
import { ServiceError } from '../../protocol/errors.js';
import type { ServerPlace } from '../../protocol/services/group.js';
import type { Peer } from '../../replication/link/peers.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';

const PAUSE_MS = 200;
const DEADLINE_MS = 5000;

/**
 * Resolves when one of the others has it noted for all, or after a close. It is asked again until then; why it is refused is logged.
 * @param own with what it belongs to, by groupText
 */
export async function introduce(
  own: ServerPlace & { readonly cluster: string },
  others: () => readonly Peer[],
  { clock, log }: Runtime,
  isClosed: () => boolean,
): Promise<void> {
  const told = new Set<string>();
  while (!isClosed()) {
    for (const { remote, service, name } of others()) {
      if (remote.state !== 'up') continue;
      try {
        await service.add(own, { deadlineMs: DEADLINE_MS });
        log.info('catalog.introduced', { through: name });
        return;
      } catch (error) {
        rethrowProgramFault(error);
        const isNews = error instanceof ServiceError && error.code === 'REFUSED' && !told.has(error.message);
        if (isNews) told.add(error.message);
        log[isNews ? 'error' : 'debug']('catalog.not_introduced', { through: name, ...errorFields(error) });
      }
    }
    await sleep(clock, PAUSE_MS);
  }
}
