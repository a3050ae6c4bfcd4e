// Who counts, as a primary decides it: whom it waits for before it acknowledges anything.
import { type MemberId, type Members, withLearner, withVoter } from '../members.js';

/** Of a primary that has taken over just now: of those that counted whoever lives, and itself. */
export function rollOfNew(self: MemberId, members: Members, isLiving: (member: MemberId) => boolean): Members {
  const { voters, learners } = members;
  const all = [...voters, ...learners].filter((member) => member !== self);
  const counting = voters.filter((voter) => voter === self || isLiving(voter));
  return {
    voters: [...new Set([...counting, self])].sort(),
    learners: all.filter((member) => !counting.includes(member)).sort(),
  };
}

/** The silent are struck off; those that have come back and have everything count again. @returns the same object when nothing changes */
export function reviewedRoll(
  self: MemberId,
  members: Members,
  { isLiving, hasEverything }: { isLiving(member: MemberId): boolean; hasEverything(member: MemberId): boolean },
): Members {
  let next = members;
  for (const voter of members.voters) {
    if (voter !== self && !isLiving(voter)) next = withLearner(next, voter);
  }
  for (const learner of members.learners) {
    if (isLiving(learner) && hasEverything(learner)) next = withVoter(next, learner);
  }
  return next;
}
