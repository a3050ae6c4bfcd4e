// Asking the metaservers of a group what they are.
import { asError } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { GroupService, GroupStatus } from './group.js';

/** What each says, in their order, or why it does not. Each is asked by itself: one that hangs holds up no other longer than this. */
export function askStatuses(services: readonly GroupService[], deadlineMs: number): Promise<(GroupStatus | Error)[]> {
  return Promise.all(
    services.map(async (service) => {
      try {
        return await service.status({}, { deadlineMs });
      } catch (error) {
        rethrowProgramFault(error);
        return asError(error);
      }
    }),
  );
}
