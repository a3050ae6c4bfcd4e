// Who changes the members of a simulated group. It sees the group from outside, and never does what would give the group up: it
// removes no healthy member while others have lost something, and knows which disk may lose something.
import assert from 'node:assert/strict';
import {
  type MemberId,
  type Members,
  majority,
  withLearner,
  withoutMember,
  withVoter,
} from '../../../src/replication/core/members.js';
import type { SeededRandom } from '../../simulation/world/seeded-random.js';
import type { SimulatedMember } from './simulated-member.js';

const MOST_MEMBERS = 9;
/** A learner lacks at most so many entries when it becomes a voter. */
const MOST_LACKING = 10;

export interface AdministratorParts {
  all: ReadonlyMap<MemberId, SimulatedMember>;
  /** A group of fewer gets new members. */
  size: number;
  random: SeededRandom;
  /** Starts a blank member. */
  startNew: () => MemberId;
}

export class Administrator {
  readonly #parts: AdministratorParts;

  constructor(parts: AdministratorParts) {
    this.#parts = parts;
  }

  /** Whether the group survives it when the disk of a member loses something, as far as can be seen from outside. */
  mayLose(member: SimulatedMember, leader: SimulatedMember | undefined): boolean {
    const members = leader?.core?.status.members;
    // A learner may become a voter before anybody sees that it has lost something.
    if (members?.voters.includes(member.id) !== true) return false;
    const bad = members.voters.filter((id) => id === member.id || this.#hasLost(id));
    return members.voters.length - bad.length >= majority(members);
  }

  /** Has a leader remove a voter. */
  remove(id: MemberId, leader: SimulatedMember): void {
    assert(leader.core !== null, 'a leader runs');
    const { members } = leader.core.status;
    if (members.voters.includes(id)) leader.core.proposeMembers(withoutMember(members, id));
  }

  /** Has a leader make a change, if there is one to make. */
  changeMembers(leader: SimulatedMember): void {
    assert(leader.core !== null, 'a leader runs');
    const { members, lastIndex } = leader.core.status;
    // Who makes a voter of a damaged learner may give the group up: it does not count yet.
    const ready = leader.core.progress.find(
      ({ member, matched }) =>
        members.learners.includes(member) && matched + MOST_LACKING >= lastIndex && !this.#hasLost(member),
    );
    leader.core.proposeMembers(this.#nextMembers(members, ready?.member));
  }

  #nextMembers(members: Members, ready: MemberId | undefined): Members {
    const { all, size, random, startNew } = this.#parts;
    const gone = members.voters.find((id) => all.get(id)?.isRemoved === true);
    if (gone !== undefined) return withoutMember(members, gone);
    if (ready !== undefined) return withVoter(members, ready);
    const count = members.voters.length + members.learners.length;
    if (count < size || (count < MOST_MEMBERS && random.chance(0.5))) return withLearner(members, startNew());
    if (members.voters.length < 2 || members.voters.some((id) => this.#hasLost(id))) return members;
    return withoutMember(members, random.pick(members.voters));
  }

  #hasLost(id: MemberId): boolean {
    const member = this.#parts.all.get(id);
    return member === undefined || member.isRemoved || member.damagedUpTo > 0;
  }
}
