// Several servers as one: calls go to the one that leads. When it is lost, no
// longer leads, or hangs while another one leads, the calls under way fail as with
// a lost connection, whose callers repeat them, and the next leader is looked for.
import { assert } from '../../runtime/assert.js';
import type { Runtime } from '../../runtime/runtime.js';
import { ServiceError, type ServiceErrorCode, wasWithoutEffect } from '../errors.js';
import type { ServerPlace } from '../services/group.js';
import type { CallOptions } from '../services/service.js';
import { limitsFromNow, within } from '../services/within.js';
import type { Remote, RemoteState } from '../wire/client.js';
import { FollowedServer, type Method } from './followed-server.js';
import { LeaderSearch } from './leader-search.js';
import { SilenceWatch } from './silence-watch.js';
import { SEARCH_PAUSE_MS, STATUS_DEADLINE_MS, StatusPolls } from './status-polls.js';

/** A leader that says nothing for so long may hang. Longer than nearly all calls take. */
const SILENCE_MS = 250;
/** For so long the others are asked at short intervals; if it hangs, another one leads by then. */
const EAGER_MS = 2000;

export interface LeaderRemoteParts {
  /** Calls must fail while a server is not connected. */
  servers: readonly Server[];
  /** The service by which each says what it is. */
  standing: 'group' | 'mediator';
  /** How many of so many servers: see chooseLeader. Others may be added. */
  mustAnswer: (servers: number) => number;
  /** What the servers answer: the beginning of events in the log. */
  what: 'metadata' | 'files';
  /** Further errors by which the leader says that it no longer leads; the outcome of calls is unknown then. */
  lostBy: readonly ServiceErrorCode[];
  /** From an answer to the next question to the others, when the leader has long been silent. */
  rivalPauseMs: number;
  /** Called with where servers of the group are, by the word of one of them: see `add`. */
  learned?: (servers: readonly ServerPlace[]) => void;
  /** Of calls that come without one. */
  deadlineMs: number;
  runtime: Runtime;
}

interface Server {
  readonly name: string;
  readonly remote: Pick<Remote, 'onStateChange' | 'service'>;
}

interface Leader {
  readonly member: FollowedServer;
  readonly term: number;
}

type Rejection = (error: unknown) => void;

/** Whoever waits for a leader. */
interface Vacancy {
  readonly over: Promise<void>;
  readonly end: () => void;
  readonly fail: Rejection;
}

export class LeaderRemote implements Pick<Remote, 'service' | 'onStateChange'> {
  readonly #listeners: ((state: RemoteState) => void)[] = [];
  #leader: Leader | null = null;
  #lastTerm = -1;
  /** Calls that the leader has not answered. */
  readonly #underWay = new Set<Rejection>();
  #vacancy = vacancy();
  #search: LeaderSearch | null = null;
  /** What the others say while the leader is silent. */
  #rivals: StatusPolls | null = null;
  readonly #silence: SilenceWatch;
  #isClosed = false;

  readonly #members: FollowedServer[] = [];
  readonly #parts: LeaderRemoteParts;
  readonly #runtime: Runtime;

  constructor(parts: LeaderRemoteParts) {
    const { servers, runtime } = parts;
    this.#parts = parts;
    this.#runtime = runtime;
    for (const server of servers) this.add(server);
    this.#silence = new SilenceWatch({
      clock: runtime.clock,
      limitMs: SILENCE_MS,
      isWaiting: () => this.#underWay.size > 0,
      silent: () => this.#lookForRivals(),
    });
    this.#seek(undefined);
  }

  get leader(): string | null {
    return this.#leader?.member.name ?? null;
  }

  /**
   * As of one server. Calls fail with what the leader fails with, OUTCOME_UNKNOWN when it is lost, DEADLINE when there is none for
   * too long, REFUSED or UNKNOWN_METHOD when all servers refuse, and UNREACHABLE when all is closed.
   */
  service<T>(name: string): T {
    const proxy = new Proxy(Object.create(null) as object, {
      get: (_target, member, service: object) => {
        if (typeof member !== 'string' || member === 'then') return undefined;
        const value: Method = (request, options) => this.#call(name, member, request, options);
        Object.defineProperty(service, member, { value, configurable: true, writable: true });
        return value;
      },
    });
    return Object.create(proxy) as T;
  }

  /** One more server may lead from now on. */
  add({ name, remote }: Server): void {
    const member = new FollowedServer(name, remote, this.#parts.standing);
    this.#members.push(member);
    remote.onStateChange((state) => {
      const leader = this.#leader;
      if (state === 'down' && leader?.member.name === name) this.#lose(leader, 'the connection was lost');
    });
    this.#search?.add(member);
  }

  /** 'up': a leader was found; 'down': it was lost. Called before the calls that fail through it. */
  onStateChange(listener: (state: RemoteState) => void): void {
    this.#listeners.push(listener);
  }

  /** Calls under way fail with OUTCOME_UNKNOWN, those that wait and later ones with UNREACHABLE. Nothing is asked any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#search?.stop();
    const error = new ServiceError('UNREACHABLE', 'closed by this side');
    if (this.#leader === null) this.#vacancy.fail(error);
    else this.#lose(this.#leader, error.message);
  }

  #call(service: string, method: string, request: object, options: CallOptions | undefined): Promise<object> {
    const leader = this.#leader;
    if (leader === null) return this.#callNext(service, method, request, options);
    return new Promise((resolve, reject) => {
      this.#underWay.add(reject);
      if (this.#underWay.size === 1) this.#silence.sign();
      leader.member.call(service, method, request, options).then(
        (result) => {
          // A reply of a leader that was given up is not taken: the call was repeated elsewhere.
          if (!this.#underWay.delete(reject)) return;
          this.#heard();
          resolve(result);
        },
        (error: unknown) => {
          if (this.#underWay.has(reject)) this.#failed(leader, reject, error);
        },
      );
    });
  }

  /** Calls the next leader. */
  async #callNext(service: string, method: string, request: object, options: CallOptions = {}): Promise<object> {
    const { clock } = this.#runtime;
    const left = limitsFromNow(options, this.#parts.deadlineMs, clock);
    while (this.#leader === null) await within(this.#vacancy.over, left(), clock, 'a server that leads');
    return this.#call(service, method, request, left());
  }

  #failed(leader: Leader, reject: Rejection, error: unknown): void {
    const code = error instanceof ServiceError ? error.code : null;
    if (code !== 'DEADLINE' && code !== 'CANCELLED') this.#heard();
    if (error instanceof ServiceError) {
      if (error.code === 'OUTCOME_UNKNOWN') {
        void this.#judge(leader, reject, error);
        return;
      }
      // A leader that was taken after its connection broke is UNREACHABLE; nothing else would tell of that loss.
      if (wasWithoutEffect(error)) {
        this.#underWay.delete(reject);
        this.#lose(leader, error.message, error.leader);
      }
      if (this.#parts.lostBy.includes(error.code)) {
        this.#lose(leader, error.message, error.leader);
        return;
      }
    }
    this.#underWay.delete(reject);
    reject(error);
    if (this.#underWay.size === 0) this.#endRivals();
  }

  /**
   * A leader does not know whether it has carried a call out: its disk has failed, or it has lost its place. While it says that it
   * serves in the same term, repeating the call would bring the same answer, and the caller is told.
   */
  async #judge(leader: Leader, reject: Rejection, error: ServiceError): Promise<void> {
    const stays = await leader.member.standing.status({}, { deadlineMs: STATUS_DEADLINE_MS }).then(
      ({ isServing, term }) => isServing && term === leader.term,
      () => false,
    );
    if (!this.#underWay.has(reject)) return;
    if (!stays) this.#lose(leader, error.message);
    else if (this.#underWay.delete(reject)) reject(error);
  }

  /** The leader has replied. */
  #heard(): void {
    this.#silence.sign();
    this.#endRivals();
  }

  #endRivals(): void {
    this.#rivals?.stop();
    this.#rivals = null;
  }

  #lookForRivals(): void {
    const leader = this.#leader;
    if (leader === null) return;
    const others = this.#members.filter((member) => member !== leader.member);
    const { clock } = this.#runtime;
    const eagerUntilMs = clock.monotonicMs() + EAGER_MS;
    const pauseMs = () => (clock.monotonicMs() < eagerUntilMs ? SEARCH_PAUSE_MS : this.#parts.rivalPauseMs);
    const polls = new StatusPolls(others, clock, pauseMs, () => {
      for (const other of others) {
        const status = polls.statuses.get(other.name);
        if (status === undefined || !status.isServing || status.term <= leader.term) continue;
        this.#lose(leader, `it does not answer, and ${other.name} leads now`, other.name);
        return;
      }
    });
    this.#rivals = polls;
  }

  #seek(hint: string | undefined): void {
    const { mustAnswer, what } = this.#parts;
    this.#search = new LeaderSearch({
      servers: this.#members,
      mustAnswer,
      what,
      lastTerm: this.#lastTerm,
      hint,
      runtime: this.#runtime,
      learned: (servers) => this.#parts.learned?.(servers),
      found: (name, term) => this.#take(name, term),
      refused: (error) => {
        const { fail } = this.#vacancy;
        this.#vacancy = vacancy();
        fail(error);
      },
    });
  }

  #take(name: string, term: number): void {
    const member = this.#members.find((one) => one.name === name);
    assert(member !== undefined, 'only members are found');
    this.#search = null;
    this.#leader = { member, term };
    this.#lastTerm = term;
    this.#runtime.log.info(`${this.#parts.what}.leader`, { server: name, term });
    this.#tell('up');
    this.#vacancy.end();
  }

  #lose({ member, term }: Leader, reason: string, hint?: string): void {
    if (this.#leader?.member !== member) return;
    this.#leader = null;
    this.#vacancy = vacancy();
    this.#silence.stop();
    this.#endRivals();
    if (!this.#isClosed)
      this.#runtime.log.warn(`${this.#parts.what}.leader_lost`, { server: member.name, term, reason });
    this.#tell('down');
    const lost = [...this.#underWay];
    this.#underWay.clear();
    for (const reject of lost) reject(new ServiceError('OUTCOME_UNKNOWN', `${member.name}: ${reason}`));
    if (this.#isClosed) this.#vacancy.fail(new ServiceError('UNREACHABLE', reason));
    else this.#seek(hint);
  }

  #tell(state: RemoteState): void {
    for (const listener of this.#listeners) listener(state);
  }
}

function vacancy(): Vacancy {
  let end = (): void => {};
  let fail: Rejection = () => {};
  const over = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  // It may end without anybody who waits.
  over.catch(() => {});
  return { over, end, fail };
}
