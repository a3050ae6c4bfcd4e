// Whether a member whose rows differ from the leader's is the one that is wrong. It must not give up what it has before that is
// known: the leader may be the one.
import type { Members } from '../../replication/core/members.js';
import type { Peers } from '../../replication/link/peers.js';
import { sleep } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';

const PAUSE_MS = 1000;
const STATUS_DEADLINE_MS = 1000;

/** What is asked about a member. */
interface Asking {
  peers: Peers;
  runtime: Runtime;
  isClosed: () => boolean;
  /** Its rows have rotted: nobody is in doubt about who is wrong. */
  isRotten: boolean;
}

/**
 * Resolves to true once more than half of the voters have applied what this member could not, which shows that they have the
 * leader's rows; to false after a close. Until then it is asked again.
 */
export async function mostAgreeWithLeader(
  storage: { readonly appliedIndex: number; readonly members: Pick<Members, 'voters'> },
  { peers, runtime, isClosed, isRotten }: Asking,
): Promise<boolean> {
  const index = storage.appliedIndex + 1;
  const { voters } = storage.members;
  for (let isFirst = true; !isClosed(); isFirst = false) {
    const applied = await Promise.all(
      peers.all
        .filter(({ greeting }) => voters.includes(greeting?.id ?? ''))
        .map(({ service }) =>
          service.status({}, { deadlineMs: STATUS_DEADLINE_MS }).then(
            ({ appliedIndex }) => appliedIndex >= index,
            // Who does not answer does not count.
            () => false,
          ),
        ),
    );
    if (applied.filter(Boolean).length > voters.length / 2) return true;
    if (isFirst && !isRotten)
      runtime.log.error('replica.divided', { index, voters: voters.length, agree: applied.filter(Boolean).length });
    await sleep(runtime.clock, PAUSE_MS);
  }
  return false;
}
