// Requests of clients, carried out at the leader. What was proposed and not applied when a leader lost its office is asked for again
// under the same token, so that it is carried out once.
import { ServiceError } from '../../protocol/errors.js';
import type { Mark } from '../../replication/core/core.js';
import type { Clock } from '../../runtime/clock.js';
import type { CatalogMap, Logged, Outcome } from '../map/catalog-map.js';
import { encodeLogged } from '../map/encoding.js';
import { CatalogError } from '../map/errors.js';
import type { Watchers } from '../map/watchers.js';
import type { Participation } from './participation.js';

/** Nobody reports that another leader is known. */
const LOOK_AGAIN_MS = 25;

export interface RequestParts {
  map: () => CatalogMap;
  applied: () => Pick<Mark, 'index' | 'term'>;
  /** null while this server takes no part. */
  participation: () => Participation | null;
  watchers: Watchers;
  /** Why this server answers nothing; null when it does. */
  refusal: () => CatalogError | null;
  notLeader: () => CatalogError;
  /** Why nobody can lead any more; null when somebody can. */
  lostMajority: () => string | null;
  clock: Clock;
}

export interface ConfirmOptions {
  /** Asks the others, even while the lease says enough. */
  readonly byRound?: boolean;
  readonly limitMs?: number | undefined;
}

/** How long a request waits for a leader, and until when. */
interface Patience {
  readonly limitMs: number;
  readonly endMs: number;
}

export class Requests {
  readonly #parts: RequestParts;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when it is carried out here. Waits while no leader is known; throws NOT_LEADER when another server leads, UNAVAILABLE or
   * OUTCOME_UNKNOWN when nobody has led for too long.
   */
  async carryOut(logged: Logged, limitMs = Number.POSITIVE_INFINITY): Promise<Outcome> {
    const { map, applied, participation, notLeader } = this.#parts;
    /** It may be among the entries up to there. */
    let proposedUpTo = 0;
    let proposedTerm = 0;
    const patience = this.#patience(limitMs);
    for (;;) {
      const outcome = map().outcomeOf(logged.token);
      if (outcome !== undefined) return outcome;
      this.#refuse(patience, proposedUpTo > 0);
      const part = participation();
      if (part?.member.isServing) {
        const proposed = part.member.propose(encodeLogged(logged));
        proposedUpTo = part.lastIndex;
        proposedTerm = part.member.status.term;
        if (!(await wasApplied(proposed))) await this.#lookAgain();
        continue;
      }
      // An entry of its place, or of a later term, that is applied without it shows that it was not carried out, and never will be.
      if (applied().index >= proposedUpTo || applied().term > proposedTerm) proposedUpTo = 0;
      if (this.#isLedByAnother(part) && proposedUpTo === 0) throw notLeader();
      await this.#lookAgain();
    }
  }

  /** Resolves when this server has led at some moment since the call, and has everything. Waits and throws as `carryOut`. */
  async confirm({ byRound = false, limitMs = Number.POSITIVE_INFINITY }: ConfirmOptions = {}): Promise<void> {
    const patience = this.#patience(limitMs);
    const { participation, notLeader } = this.#parts;
    for (;;) {
      this.#refuse(patience, false);
      const part = participation();
      if (part?.member.isServing) {
        if (await wasApplied(part.member.confirmLeadership({ byRound }))) return;
        await this.#lookAgain();
        continue;
      }
      if (this.#isLedByAnother(part)) throw notLeader();
      await this.#lookAgain();
    }
  }

  #patience(limitMs: number): Patience {
    return { limitMs, endMs: this.#parts.clock.monotonicMs() + limitMs };
  }

  #refuse({ limitMs, endMs }: Patience, mayBeDone: boolean): void {
    const { refusal, lostMajority, clock } = this.#parts;
    const isOver = clock.monotonicMs() >= endMs;
    const why = lostMajority() ?? `no server has led for ${limitMs / 1000} s: a majority must be there`;
    const error = refusal() ?? (isOver ? new CatalogError('UNAVAILABLE', why) : null);
    if (error === null) return;
    throw mayBeDone ? new CatalogError('OUTCOME_UNKNOWN', `${error.message}; the change may be made later`) : error;
  }

  #isLedByAnother(part: Participation | null): boolean {
    const leader = part?.member.status.leader ?? null;
    return part !== null && leader !== null && leader !== part.self;
  }

  async #lookAgain(): Promise<void> {
    const { watchers, participation } = this.#parts;
    const before = participation()?.member.isServing;
    await watchers.until(() => participation()?.member.isServing !== before, LOOK_AGAIN_MS);
  }
}

/** false for a server that has lost its office: it finds out what became of the request. */
async function wasApplied(done: Promise<void>): Promise<boolean> {
  try {
    await done;
    return true;
  } catch (error) {
    if (error instanceof ServiceError && (error.code === 'NOT_LEADER' || error.code === 'OUTCOME_UNKNOWN'))
      return false;
    throw error;
  }
}
