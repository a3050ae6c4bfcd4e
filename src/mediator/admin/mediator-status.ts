// What `status` says about mediators: each is asked by itself.
import type { MediatorStatus } from '../../protocol/services/admin.js';
import type { StandingService } from '../../protocol/services/standing.js';
import type { Remote } from '../../protocol/wire/client.js';
import { rethrowProgramFault } from '../../runtime/faults.js';

/** A mediator answers at once, or hangs. */
const ANSWER_MS = 300;

export interface OwnStanding {
  name: string;
  address: string;
  role: 'active' | 'standby';
  epoch: number;
}

interface Other {
  name: string;
  address: string;
  remote: Pick<Remote, 'service'>;
}

export async function mediatorStatuses(own: OwnStanding, others: readonly Other[]): Promise<MediatorStatus[]> {
  const { role: state, ...rest } = own;
  const asked = await Promise.all(others.map(statusOf));
  const all: MediatorStatus[] = [{ ...rest, state }, ...asked];
  const newest = Math.max(...all.map(({ epoch }) => epoch));
  // One that was replaced may not know it yet.
  const shown = all.map((each) =>
    each.state === 'active' && each.epoch < newest ? { ...each, state: STANDBY } : each,
  );
  return shown.sort((left, right) => (left.name < right.name ? -1 : 1));
}

const STANDBY = 'standby' as const;

async function statusOf({ name, address, remote }: Other): Promise<MediatorStatus> {
  try {
    const { isServing, term } = await remote.service<StandingService>('mediator').status({}, { deadlineMs: ANSWER_MS });
    return { name, address, state: isServing ? 'active' : STANDBY, epoch: term };
  } catch (error) {
    rethrowProgramFault(error);
    return { name, address, state: 'down', epoch: 0 };
  }
}
