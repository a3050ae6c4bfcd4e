// Looks for the server that leads, for as long as it takes.

import type { Runtime } from '../../runtime/runtime.js';
import type { ServiceError } from '../errors.js';
import type { ServerPlace } from '../services/group.js';
import { chooseLeader } from './leader-choice.js';
import { type Polled, SEARCH_PAUSE_MS, STATUS_DEADLINE_MS, StatusPolls } from './status-polls.js';

/** A new leader is there before; when not, more than half of the servers may be gone. */
const LONG_SEARCH_MS = 3000;

export interface LeaderSearchParts {
  servers: readonly Polled[];
  /** How many of so many servers: see chooseLeader. */
  mustAnswer: (servers: number) => number;
  /** What the servers answer: the beginning of events in the log. */
  what: 'metadata' | 'files';
  /** Of the leader that was followed last; -1 before the first. */
  lastTerm: number;
  hint: string | undefined;
  runtime: Runtime;
  /** Where servers of the group are, by the word of one of them. */
  learned(servers: readonly ServerPlace[]): void;
  found(name: string, term: number): void;
  /** All servers refuse this side. It is looked for on. */
  refused(error: ServiceError): void;
}

export class LeaderSearch {
  readonly #polls: StatusPolls;
  readonly #startMs: number;
  /** Since when somebody serves. */
  #servesSinceMs: number | null = null;
  #isLong = false;

  readonly #parts: LeaderSearchParts;

  constructor(parts: LeaderSearchParts) {
    this.#parts = parts;
    const { clock } = parts.runtime;
    this.#startMs = clock.monotonicMs();
    this.#polls = new StatusPolls(
      parts.servers,
      clock,
      () => SEARCH_PAUSE_MS,
      () => this.#judge(),
    );
  }

  stop(): void {
    this.#polls.stop();
  }

  /** One more may lead. */
  add(server: Polled): void {
    this.#polls.add(server);
  }

  #judge(): void {
    const { servers, mustAnswer, lastTerm, hint, what, runtime, learned, found, refused } = this.#parts;
    const { statuses } = this.#polls;
    for (const { servers: known = [] } of statuses.values()) learned(known);
    const nowMs = runtime.clock.monotonicMs();
    const serves = [...statuses.values()].some(({ isServing }) => isServing);
    this.#servesSinceMs = serves ? (this.#servesSinceMs ?? nowMs) : null;
    const isLate = this.#servesSinceMs !== null && nowMs - this.#servesSinceMs >= STATUS_DEADLINE_MS;
    const name = chooseLeader({ statuses, mustAnswer: mustAnswer(servers.length), lastTerm, hint, isLate });
    if (name !== null) {
      this.stop();
      found(name, statuses.get(name)?.term ?? 0);
      return;
    }
    if (!this.#isLong && nowMs - this.#startMs >= LONG_SEARCH_MS) {
      this.#isLong = true;
      runtime.log.warn(`${what}.no_leader`, { servers: this.#polls.describe() });
    }
    const { failures, refusal } = this.#polls;
    if (refusal !== null && failures.size === servers.length) refused(refusal);
  }
}
