// Who belongs to a group.

/** Unique for ever: a member that lost its disk comes back as another one. It is NAME/UNIQUE, with the configured name of its server. */
export type MemberId = string;

/** The configured name of a member's server. */
export function nameOf(member: MemberId): string {
  return member.slice(0, Math.max(0, member.lastIndexOf('/')));
}

export interface Members {
  /** Sorted. */
  readonly voters: readonly MemberId[];
  /** Get all entries and count for nothing. Sorted. */
  readonly learners: readonly MemberId[];
}

export function hasMember({ voters, learners }: Members, member: MemberId): boolean {
  return voters.includes(member) || learners.includes(member);
}

export function withVoter({ voters, learners }: Members, member: MemberId): Members {
  return { voters: withOne(voters, member), learners: without(learners, member) };
}

export function withLearner({ voters, learners }: Members, member: MemberId): Members {
  return { voters: without(voters, member), learners: withOne(learners, member) };
}

export function withoutMember({ voters, learners }: Members, member: MemberId): Members {
  return { voters: without(voters, member), learners: without(learners, member) };
}

/** How many voters decide. */
export function majority({ voters }: Members): number {
  return Math.floor(voters.length / 2) + 1;
}

export function isMajority(members: Members, has: (voter: MemberId) => boolean): boolean {
  return members.voters.filter(has).length >= majority(members);
}

/** The highest number that a majority of the voters has reached; 0 when there are no voters. */
export function reachedByMajority(members: Members, numberOf: (voter: MemberId) => number): number {
  const numbers = members.voters.map(numberOf).sort((one, other) => other - one);
  return numbers[majority(members) - 1] ?? 0;
}

/** How many voters one has and the other lacks. Any two majorities of neighbours, which differ by one, have a voter in common. */
export function voterDifference(one: Members, other: Members): number {
  const gone = one.voters.filter((voter) => !other.voters.includes(voter));
  const come = other.voters.filter((voter) => !one.voters.includes(voter));
  return gone.length + come.length;
}

function withOne(list: readonly MemberId[], member: MemberId): MemberId[] {
  return [...without(list, member), member].sort();
}

function without(list: readonly MemberId[], member: MemberId): MemberId[] {
  return list.filter((other) => other !== member);
}
