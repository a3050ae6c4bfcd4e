// Who leads, who asks for votes, and who has heard of which term: from what servers log and from the messages of their group.
import type { CoreMessage } from '../../../src/recording/core-messages.js';
import type { ElectionEvent, RoleEvent, TermEvent } from '../../../src/recording/format.js';

type Told = Omit<RoleEvent, 't'> | Omit<ElectionEvent, 't'> | Omit<TermEvent, 't'>;

/** What a server is once it has logged this. */
const ROLES: Readonly<Record<string, string>> = {
  'raft.elected': 'leader',
  'raft.stepped_down': 'follower',
  'catalog.leading': 'leader',
  'catalog.not_leading': 'follower',
  'mediator.took_over': 'active',
  'mediator.gave_way': 'standby',
  'mediator.replaced': 'standby',
};

export class RoleWatch {
  readonly #terms = new Map<string, number>();
  readonly #elections = new Map<string, number>();
  readonly #tell: (event: Told) => void;

  constructor(tell: (event: Told) => void) {
    this.#tell = tell;
  }

  logged(process: string, event: string, fields: Readonly<Record<string, unknown>>): void {
    const role = ROLES[event];
    const term = Number(fields.term ?? fields.epoch ?? 0);
    if (role !== undefined) this.#tell({ kind: 'role', process, role, term });
  }

  sent(process: string, messages: readonly CoreMessage[]): void {
    for (const { kind, term, isTrial } of messages) {
      if (typeof term !== 'number') continue;
      // A trial vote names the term that there would be.
      if (isTrial === true) continue;
      if (term > (this.#terms.get(process) ?? 0)) {
        this.#terms.set(process, term);
        this.#tell({ kind: 'term', process, term });
      }
      const isAsking = kind === 'askVote' || kind === 'startViewChange';
      if (isAsking && term > (this.#elections.get(process) ?? 0)) {
        this.#elections.set(process, term);
        this.#tell({ kind: 'election', process, term });
      }
    }
  }

  /** Its next process says again what it is. */
  gone(process: string): void {
    this.#terms.delete(process);
  }
}
