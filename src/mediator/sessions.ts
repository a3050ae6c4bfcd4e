// Who uses this mediator: one session per mount. Each hears of what the others
// change, keeps files without names alive, and has locks; all of it ends with
// the session. Only memory: a client that comes back after a restart brings
// what it had.
import { FileError, ServiceError } from '../protocol/errors.js';
import { LockTable } from '../protocol/lock-table.js';
import { MAXIMUM_CLIENT_LENGTH } from '../protocol/request-ids.js';
import type { CallOptions } from '../protocol/service.js';
import {
  type FileLock,
  LONGEST_WAIT_MS,
  type OutdatedItem,
  SESSION_GRACE_MS,
  type SessionService,
} from '../protocol/sessions.js';
import type { Timer } from '../runtime/clock.js';
import type { Runtime } from '../runtime/runtime.js';

/** Changes remembered; a client that is further behind forgets all that it has cached. */
const MAXIMUM_CHANGES = 10_000;

interface Session {
  client: string;
  held: Set<number>;
  /** Ends the session when nothing is heard of the client. */
  grace: Timer | null;
  /** Calls of `changes` that wait. */
  wakers: Set<() => void>;
}

interface Change {
  number: number;
  origin: Session | undefined;
  item: OutdatedItem;
}

export interface HeldFiles {
  /** The file lives on without a name. */
  hold(inode: number): void;
  /** Nobody has it open any more. */
  release(inode: number): Promise<void>;
}

type Request<K extends keyof SessionService> = Parameters<SessionService[K]>[0];
type Reply<K extends keyof SessionService> = ReturnType<SessionService[K]>;

export class Sessions {
  readonly locks = new LockTable();
  /** What may be called from outside, and nothing else. */
  readonly service: SessionService;
  readonly #byClient = new Map<string, Session>();
  readonly #byPeer = new WeakMap<object, Session>();
  #changes: Change[] = [];
  #last = 0;
  #closed = false;

  constructor(
    private readonly files: HeldFiles,
    private readonly runtime: Runtime,
    /** A session is over. Its client will ask for nothing again; null: it may. */
    private readonly ended: (client: string | null) => void,
  ) {
    this.service = {
      begin: (request, options) => this.#begin(request, options),
      changes: (request, options) => this.#changesAfter(request, options),
      setLock: (request, options) => this.#setLock(request, options),
      getLock: async (request, options) => ({ conflict: this.locks.conflict(this.#expect(options).client, request) }),
      end: async (_request, options) => {
        const session = this.#of(options);
        if (session !== undefined) await this.#finish(session, 'ended');
        return {};
      },
    };
  }

  /** Tells everybody but the caller that what they have cached of these is outdated. */
  publish(items: readonly OutdatedItem[], options: CallOptions | undefined): void {
    const origin = this.#of(options);
    if (this.#byClient.size === 0 || (this.#byClient.size === 1 && origin !== undefined)) return;
    for (const item of items) {
      this.#last++;
      this.#changes.push({ number: this.#last, origin, item });
    }
    if (this.#changes.length > 2 * MAXIMUM_CHANGES) this.#changes = this.#changes.slice(-MAXIMUM_CHANGES);
    for (const session of this.#byClient.values()) {
      if (session !== origin) for (const wake of [...session.wakers]) wake();
    }
  }

  /** Everybody must forget everything that is cached. */
  publishAll(): void {
    this.#changes = [];
    this.#last += 2;
    for (const session of this.#byClient.values()) for (const wake of [...session.wakers]) wake();
  }

  /** The caller has a file open that lost its last name. */
  hold(inode: number, options: CallOptions | undefined): void {
    this.files.hold(inode);
    this.#of(options)?.held.add(inode);
  }

  /** The caller has closed it. Nothing is released while another session holds it. */
  async release(inode: number, options: CallOptions | undefined): Promise<void> {
    this.#of(options)?.held.delete(inode);
    await this.#releaseUnlessHeld(inode);
  }

  close(): void {
    this.#closed = true;
    for (const session of this.#byClient.values()) {
      session.grace?.cancel();
      for (const wake of [...session.wakers]) wake();
    }
  }

  async #begin({ client, held, locks }: Request<'begin'>, options: CallOptions | undefined): Reply<'begin'> {
    if (typeof client !== 'string' || client === '' || client.length > MAXIMUM_CLIENT_LENGTH) {
      throw new ServiceError('MALFORMED', `client must be a text of 1 to ${MAXIMUM_CLIENT_LENGTH} characters`);
    }
    let session = this.#byClient.get(client);
    const known = session !== undefined;
    if (session === undefined) {
      session = { client, held: new Set(), grace: null, wakers: new Set() };
      this.#byClient.set(client, session);
      this.runtime.log.info('session.begun', { client });
    }
    const { peer } = options ?? {};
    if (peer !== undefined) this.#byPeer.set(peer, session);
    this.#heard(session);
    for (const inode of held) {
      this.files.hold(inode);
      session.held.add(inode);
    }
    const lost = known ? [] : locks.filter((lock) => this.locks.set(client, lock) !== 'granted');
    return { known, last: this.#last, lost };
  }

  async #changesAfter({ after }: Request<'changes'>, options: CallOptions | undefined): Reply<'changes'> {
    const session = this.#expect(options);
    if (!this.#hasNews(session, after)) await this.#news(session, options);
    const missed = this.#hasMissed(after);
    const items = missed
      ? []
      : this.#changes.filter(({ number, origin }) => number > after && origin !== session).map(({ item }) => item);
    return { items, last: this.#last, missed };
  }

  /** What follows `after` is no longer remembered, or never was in this life of the process. */
  #hasMissed(after: number): boolean {
    const oldest = this.#changes[0]?.number ?? this.#last + 1;
    return after + 1 < oldest || after > this.#last;
  }

  #hasNews(session: Session, after: number): boolean {
    return (
      this.#closed ||
      this.#hasMissed(after) ||
      this.#changes.some(({ number, origin }) => number > after && origin !== session)
    );
  }

  /** Until something is published, the client goes, or the wait is over. */
  #news(session: Session, options: CallOptions | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.runtime.clock.after(LONGEST_WAIT_MS, () => wake());
      const wake = (): void => {
        timer.cancel();
        session.wakers.delete(wake);
        this.#heard(session);
        resolve();
      };
      session.wakers.add(wake);
      // Its own call says that it is there.
      session.grace?.cancel();
      options?.signal?.addEventListener('abort', wake, { once: true });
    });
  }

  async #setLock(request: Request<'setLock'>, options: CallOptions | undefined): Reply<'setLock'> {
    const { client } = this.#expect(options);
    const { type, wait, ...range } = request;
    if (type === null) {
      this.locks.unset(client, range);
      return { granted: true };
    }
    const lock: FileLock = { ...range, type };
    if (!wait) {
      if (this.locks.set(client, lock) === 'granted') return { granted: true };
      throw new FileError('EAGAIN', 'another has a lock there');
    }
    return new Promise((resolve, reject) => {
      const timer = this.runtime.clock.after(LONGEST_WAIT_MS, () => giveUp());
      const { outcome, cancel } = this.locks.wait(client, lock, () => {
        timer.cancel();
        resolve({ granted: true });
      });
      const giveUp = (): void => {
        timer.cancel();
        cancel();
        resolve({ granted: false });
      };
      if (outcome === 'conflict') {
        options?.signal?.addEventListener('abort', giveUp, { once: true });
        return;
      }
      timer.cancel();
      if (outcome === 'granted') resolve({ granted: true });
      else reject(new FileError('EDEADLK', 'the one who has the lock waits for one of this owner'));
    });
  }

  #of(options: CallOptions | undefined): Session | undefined {
    const { peer } = options ?? {};
    const session = peer === undefined ? undefined : this.#byPeer.get(peer);
    return session !== undefined && this.#byClient.get(session.client) === session ? session : undefined;
  }

  #expect(options: CallOptions | undefined): Session {
    const session = this.#of(options);
    if (session === undefined) throw new ServiceError('REFUSED', 'no session was begun');
    return session;
  }

  #heard(session: Session): void {
    session.grace?.cancel();
    if (this.#closed) return;
    session.grace = this.runtime.clock.after(SESSION_GRACE_MS, () => {
      this.#finish(session, 'silent').catch((error: unknown) => {
        this.runtime.log.error('session.release_failed', { client: session.client, reason: String(error) });
      });
    });
  }

  async #finish(session: Session, how: 'ended' | 'silent'): Promise<void> {
    const { client, held } = session;
    session.grace?.cancel();
    this.#byClient.delete(client);
    this.locks.drop(client);
    for (const wake of [...session.wakers]) wake();
    this.runtime.log[how === 'ended' ? 'info' : 'warn'](`session.${how}`, { client, held: held.size });
    for (const inode of held) await this.#releaseUnlessHeld(inode);
    this.ended(how === 'ended' ? client : null);
  }

  async #releaseUnlessHeld(inode: number): Promise<void> {
    for (const { held } of this.#byClient.values()) if (held.has(inode)) return;
    await this.files.release(inode);
  }
}
