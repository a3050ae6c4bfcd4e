// Who belongs to the group, changed by its leader. Newcomers are learners until they have nearly everything, then voters. A server
// that has come back without its disk takes the place of the member that it was.
import { ServiceError } from '../../protocol/errors.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { CoreStatus } from '../core/core.js';
import {
  hasMember,
  type MemberId,
  type Members,
  nameOf,
  withLearner,
  withoutMember,
  withVoter,
} from '../core/members.js';
import type { GroupMember } from '../member/group-member.js';
import type { GroupLeadership } from './leadership.js';

const LOOK_MS = 100;
/** A learner that lacks no more entries than this has them before anybody waits for it. */
const MOST_BEHIND = 64;

/** This server, as a member. */
export interface OwnPlace {
  readonly self: MemberId;
  /** null while it can't take part. */
  readonly member: GroupMember | null;
  readonly leadership: Pick<GroupLeadership, 'isServing' | 'onChange' | 'notLeader' | 'handOver'>;
}

export class Membership {
  #timer: Timer | null = null;
  #isClosed = false;
  /** Changes of the members. */
  readonly #queue = new SerialQueue();

  readonly #place: OwnPlace;
  readonly #runtime: Runtime;

  constructor(place: OwnPlace, runtime: Runtime) {
    this.#place = place;
    this.#runtime = runtime;
    place.leadership.onChange(() => this.#schedule());
    this.#schedule();
  }

  /** Lets a newcomer in as a learner. Rejects with NOT_LEADER. */
  async join(id: MemberId): Promise<void> {
    await this.#queue.run(async () => {
      const { members } = this.#status;
      if (!hasMember(members, id)) await this.#change(withLearner(members, id), 'replication.learner_added', id);
    });
    this.#schedule();
  }

  /** Takes a server out of the group, its every id. Rejects with NOT_LEADER, also when it was this one, which has handed over. */
  async remove(name: string): Promise<void> {
    await this.#queue.run(async () => {
      for (;;) {
        const { members } = this.#status;
        const id = [...members.learners, ...members.voters].find((each) => nameOf(each) === name);
        if (id === undefined) return;
        if (members.voters.includes(id) && members.voters.length === 1) {
          throw new ServiceError('REFUSED', `${name} is the only server of its group`);
        }
        if (id === this.#place.self) {
          await this.#handOver();
          throw this.#place.leadership.notLeader();
        }
        await this.#change(withoutMember(members, id), 'replication.member_removed', id);
      }
    });
  }

  /** Has that server lead. Resolves when this one does not any more, or leads itself already and was named. */
  async transfer(name: string): Promise<void> {
    const { members } = this.#status;
    const id = members.voters.find((each) => nameOf(each) === name);
    if (id === undefined) throw new ServiceError('REFUSED', `${name} is no voter of the group`);
    if (id !== this.#place.self) await this.#handOver(id);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  async #handOver(to?: MemberId): Promise<void> {
    const { leadership } = this.#place;
    await leadership.handOver(to);
    if (leadership.isServing)
      throw new ServiceError('REFUSED', `${to === undefined ? 'nobody' : nameOf(to)} took over in time`);
  }

  get #status(): CoreStatus {
    const { member, leadership } = this.#place;
    if (member === null || !leadership.isServing) throw leadership.notLeader();
    return member.status;
  }

  #schedule(): void {
    const { member, leadership } = this.#place;
    if (this.#timer !== null || this.#isClosed || !leadership.isServing) return;
    if (member === null || member.status.members.learners.length === 0) return;
    this.#timer = this.#runtime.clock.after(LOOK_MS, () => {
      this.#timer = null;
      this.#queue
        .run(() => this.#promote())
        .catch((error: unknown) => {
          rethrowProgramFault(error);
          this.#runtime.log.debug('replication.not_promoted', errorFields(error));
        })
        .finally(() => this.#schedule());
    });
  }

  /** One change at a time. */
  async #promote(): Promise<void> {
    const { members, lastIndex } = this.#status;
    for (const learner of members.learners) {
      const known = this.#place.member?.progress.find(({ member }) => member === learner);
      if (known?.isActive !== true || known.matched + MOST_BEHIND < lastIndex) continue;
      const earlier = [...members.voters, ...members.learners].find(
        (other) => other !== learner && nameOf(other) === nameOf(learner),
      );
      if (earlier !== undefined) {
        await this.#change(withoutMember(members, earlier), 'replication.member_removed', earlier);
      } else {
        await this.#change(withVoter(members, learner), 'replication.voter_added', learner);
      }
      return;
    }
  }

  async #change(members: Members, event: string, id: MemberId): Promise<void> {
    const { member } = this.#place;
    if (member === null) throw new ServiceError('NOT_LEADER', 'this server takes no part');
    await member.changeMembers(members);
    this.#runtime.log.info(event, { member: id, voters: members.voters.length });
  }
}
