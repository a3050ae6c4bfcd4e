// One of several metaservers, as a mediator sees it: a test says what it is, and
// when it hangs or is cut off.
import { ServiceError } from '../../src/protocol/errors.js';
import type { GroupStatus } from '../../src/protocol/services/group.js';
import type { CallOptions } from '../../src/protocol/services/service.js';
import type { RemoteState } from '../../src/protocol/wire/client.js';
import type { Clock } from '../../src/runtime/clock.js';

export const FOLLOWER: GroupStatus = {
  id: null,
  role: 'follower',
  isServing: false,
  leader: null,
  term: 1,
  lastIndex: 0,
  committedIndex: 0,
  appliedIndex: 0,
  behindMs: 0,
  lags: [],
  sending: [],
  servers: [],
  voters: [],
  learners: [],
  trouble: null,
  reason: '',
  freeBytes: 0,
  totalBytes: 0,
};

/** Of calls that come without one. */
export const LONGEST_DEADLINE_MS = 30_000;

export class FakeMetaserver {
  status = FOLLOWER;
  /** Calls of MetadataService that have arrived. */
  readonly asked: string[] = [];
  /** What it answers to them; by default its own name. */
  answer: (method: string, request: object) => Promise<object> = async () => ({ by: this.name });
  /** How long it thinks about a question for its status. */
  statusMs = 0;
  statusesAsked = 0;
  isHung = false;
  #isConnected = true;
  #listeners: ((state: RemoteState) => void)[] = [];
  readonly #underWay = new Set<(error: Error) => void>();
  /** What it does when it hangs no longer. */
  #put: (() => void)[] = [];

  readonly address = '127.0.0.1:1';
  readonly remote = {
    state: 'up' as const,
    onStateChange: (listener: (state: RemoteState) => void) => void this.#listeners.push(listener),
    service: <T>(name: string): T => this.#service(name) as T,
  };

  constructor(
    readonly name: string,
    readonly clock: Clock,
  ) {}

  leads(term: number): void {
    this.status = { ...FOLLOWER, role: 'leader', isServing: true, term };
  }

  follows(term: number): void {
    this.status = { ...FOLLOWER, term };
  }

  /** Its connection breaks; calls fail until `reconnect`. */
  disconnect(): void {
    this.#isConnected = false;
    for (const listener of this.#listeners) listener('down');
    for (const fail of this.#underWay) fail(new ServiceError('OUTCOME_UNKNOWN', 'the connection broke'));
  }

  reconnect(): void {
    this.#isConnected = true;
    for (const listener of this.#listeners) listener('up');
  }

  /** It hangs no longer, and answers what it was asked meanwhile. */
  wake(): void {
    this.isHung = false;
    const put = this.#put;
    this.#put = [];
    for (const go of put) go();
  }

  #service(name: string): object {
    if (name === 'group') {
      return {
        status: (_request: object, options: CallOptions) => {
          this.statusesAsked++;
          return this.#call(options, async () => {
            if (this.statusMs > 0) await new Promise<void>((resolve) => void this.clock.after(this.statusMs, resolve));
            return this.status;
          });
        },
      };
    }
    const method = (member: string) => (request: object, options: CallOptions) => {
      this.asked.push(member);
      return this.#call(options, () => this.answer(member, request));
    };
    return { execute: method('execute'), query: method('query'), sync: method('sync') };
  }

  #call(options: CallOptions | undefined, answer: () => Promise<object>): Promise<object> {
    if (!this.#isConnected) return Promise.reject(new ServiceError('UNREACHABLE', `${this.name} can't be reached`));
    return new Promise((resolve, reject) => {
      const deadline = this.clock.after(options?.deadlineMs ?? LONGEST_DEADLINE_MS, () => {
        reject(new ServiceError('DEADLINE', `${this.name} did not answer`));
      });
      this.#underWay.add(reject);
      const go = () => {
        answer()
          .then(resolve, reject)
          .finally(() => {
            deadline.cancel();
            this.#underWay.delete(reject);
          });
      };
      if (this.isHung) this.#put.push(go);
      else go();
    });
  }
}
