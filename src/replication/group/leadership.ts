// Whether a member of a group leads, for what stands on it.
import { ServiceError } from '../../protocol/errors.js';
import { type Clock, sleep } from '../../runtime/clock.js';
import { type MemberId, nameOf } from '../core/members.js';
import type { GroupMember } from '../member/group-member.js';

/** A member that has everything takes over within a round trip; one that lags behind is not waited for any longer. */
const HAND_OVER_LIMIT_MS = 1000;
const HAND_OVER_POLL_MS = 10;

export class GroupLeadership {
  readonly #listeners: (() => void)[] = [];
  #wasServing = false;

  readonly #member: () => GroupMember | null;
  readonly #isAlone: () => boolean;
  readonly #clock: Clock;

  /** @param isAlone whether the group has no other member: then nobody else can lead, whatever befalls the log */
  constructor(member: () => GroupMember | null, isAlone: () => boolean, clock: Clock) {
    this.#member = member;
    this.#isAlone = isAlone;
    this.#clock = clock;
  }

  get isServing(): boolean {
    return this.#isAlone() || (this.#member()?.isServing ?? false);
  }

  get isCertain(): boolean {
    return this.#isAlone() || (this.#member()?.leads ?? false);
  }

  async confirm(): Promise<void> {
    const member = this.#member();
    if (member === null) throw this.notLeader();
    await member.confirmLeadership();
  }

  notLeader(): ServiceError {
    const leader = this.#member()?.status.leader ?? null;
    if (leader === null) return new ServiceError('NOT_LEADER', 'no leader is known');
    return new ServiceError('NOT_LEADER', `${nameOf(leader)} leads`, nameOf(leader));
  }

  onChange(listener: () => void): void {
    // Whoever listens has just looked, or will.
    this.#wasServing = this.isServing;
    this.#listeners.push(listener);
  }

  /** The member has begun to serve, or ceased to. */
  changed(): void {
    const { isServing } = this;
    if (isServing === this.#wasServing) return;
    this.#wasServing = isServing;
    for (const listener of this.#listeners) listener();
  }

  async handOver(to?: MemberId): Promise<void> {
    const member = this.#member();
    if (member === null) return;
    const { members } = member.status;
    const [next] = member.progress
      .filter(({ member, isActive }) =>
        to === undefined ? isActive && members.voters.includes(member) : member === to,
      )
      .sort((one, other) => other.matched - one.matched);
    if (next === undefined || !member.transfer(next.member)) return;
    const endMs = this.#clock.monotonicMs() + HAND_OVER_LIMIT_MS;
    while (member.status.role === 'leader' && this.#clock.monotonicMs() < endMs) {
      await sleep(this.#clock, HAND_OVER_POLL_MS);
    }
  }
}
