// The votes of a member that asks for them, or tries whether it would get them.
import { isMajority, type MemberId, type Members } from '../members.js';

export class Campaign {
  readonly isTrial: boolean;
  readonly #votes: Map<MemberId, boolean>;

  constructor(self: MemberId, isTrial: boolean) {
    this.isTrial = isTrial;
    this.#votes = new Map([[self, true]]);
  }

  /** One answer counts for each member, its last. */
  count(voter: MemberId, isGranted: boolean): void {
    this.#votes.set(voter, isGranted);
  }

  /** Whether it is won; null while that is open. */
  outcome(members: Members): boolean | null {
    if (isMajority(members, (voter) => this.#votes.get(voter) === true)) return true;
    return isMajority(members, (voter) => this.#votes.get(voter) !== false) ? null : false;
  }
}
