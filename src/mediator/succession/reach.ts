// How many data servers answer a mediator, whether or not they would let it in.
import { ServiceError } from '../../protocol/errors.js';
import type { BlockService } from '../../protocol/services/blocks.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { ReplicaParts } from '../replicas/replica-set.js';

const ANSWER_MS = 700;
/** Any other answer, a refusal too, is one. */
const NO_ANSWER = ['UNREACHABLE', 'DEADLINE', 'OUTCOME_UNKNOWN', 'CANCELLED'];

export async function countReached(dataservers: readonly Pick<ReplicaParts, 'remote'>[]): Promise<number> {
  const answers = await Promise.all(dataservers.map(({ remote }) => isThere(remote)));
  return answers.filter(Boolean).length;
}

async function isThere(remote: ReplicaParts['remote']): Promise<boolean> {
  try {
    await remote.service<BlockService>('blocks').status({}, { deadlineMs: ANSWER_MS });
    return true;
  } catch (error) {
    rethrowProgramFault(error);
    return error instanceof ServiceError && !NO_ANSWER.includes(error.code);
  }
}
