// This server as a member of its group, from when it takes part until it does not any more: it crashes, on request or because its
// disk fails, or it is closed.
import type { MemberId } from '../../replication/core/members.js';
import { type Standing, standingIn } from '../../replication/group/ask-to-join.js';
import { GroupLeadership } from '../../replication/group/leadership.js';
import { Membership } from '../../replication/group/membership.js';
import { GroupLink } from '../../replication/link/group-link.js';
import type { Peers } from '../../replication/link/peers.js';
import type { MemberLog } from '../../replication/log/memory-log.js';
import { GroupMember } from '../../replication/member/group-member.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { AppliedMap } from './applied-map.js';
import type { Keeper } from './keeper.js';
import { makeCore, type OrderedProtocol } from './make-core.js';
import { TICK_MS, type Timing } from './timing.js';

/** The state is kept again when the log has so many bytes, or entries, that it lacks, and half as many bytes as the state has. */
const KEEP_BYTES = 4 * 1024 * 1024;
const KEEP_ENTRIES = 4096;

export interface ParticipationParts {
  self: MemberId;
  protocol: OrderedProtocol;
  timing: Timing;
  applied: AppliedMap;
  keeper: Keeper;
  peers: Peers;
  runtime: Runtime;
  /** Something has changed that somebody may wait for. */
  changed: () => void;
  /** It takes no part any more. */
  failed: (error: unknown) => void;
}

export class Participation {
  readonly self: MemberId;
  readonly member: GroupMember;
  readonly link: GroupLink;
  readonly leadership: GroupLeadership;
  readonly membership: Membership;
  #isKeeping = false;
  readonly #log: MemberLog;
  readonly #parts: ParticipationParts;

  private constructor(log: MemberLog, parts: ParticipationParts) {
    const { self, protocol, timing, applied, peers, runtime, changed, failed } = parts;
    this.self = self;
    this.#log = log;
    this.#parts = parts;
    this.link = new GroupLink({
      self,
      peers,
      deliver: (message) => this.member.receive(message),
      clock: runtime.clock,
      log: runtime.log,
    });
    this.member = new GroupMember({
      core: makeCore(protocol, self, log.stored, timing, runtime.random),
      log,
      state: applied,
      states: applied,
      transport: this.link,
      runtime,
      events: {
        servingChanged: (isServing) => {
          const { term } = this.member.status;
          runtime.log.info(isServing ? 'catalog.leading' : 'catalog.not_leading', { member: self, term });
          this.leadership.changed();
          changed();
        },
        applied: () => {
          this.#keepInBackground();
          changed();
        },
        failed,
      },
      tickMs: TICK_MS,
      electionTimeoutMs: timing.electionTimeoutMs,
    });
    this.leadership = new GroupLeadership(
      () => this.member,
      () => false,
      runtime.clock,
    );
    this.membership = new Membership(this, runtime);
  }

  static async begin(parts: ParticipationParts): Promise<Participation> {
    const log = await parts.keeper.openLog(parts.self, parts.applied.applied);
    const participation = new Participation(log, parts);
    participation.member.start();
    return participation;
  }

  get standing(): Standing {
    return standingIn(this.member.status.members, this.self);
  }

  get lastIndex(): number {
    return this.member.status.lastIndex;
  }

  /** Whether the log has that entry, or begins behind it. */
  async hasEntry(index: number, term: number): Promise<boolean> {
    if (!this.#log.has(index)) return index <= this.#log.stored.mark.index;
    const [entry] = await this.#log.read(index, index);
    return entry?.term === term;
  }

  async end(): Promise<void> {
    this.membership.close();
    await this.member.stop();
    await this.#log.close();
  }

  #keepInBackground(): void {
    const { applied, runtime } = this.#parts;
    const isMuch = applied.freshBytes >= KEEP_BYTES || applied.applied.index - applied.kept >= KEEP_ENTRIES;
    if (!isMuch || applied.freshBytes < applied.keptBytes / 2 || this.#isKeeping) return;
    this.#isKeeping = true;
    this.#keep()
      .catch((error: unknown) => {
        rethrowProgramFault(error);
        // The log has everything: it is tried again when more is applied.
        runtime.log.error('catalog.not_kept', errorFields(error));
      })
      .finally(() => {
        this.#isKeeping = false;
      });
  }

  async #keep(): Promise<void> {
    const { applied } = this.#parts;
    await applied.keep();
    await this.member.compact(applied.kept);
  }
}
