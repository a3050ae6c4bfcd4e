// Who uses this mediator: one session per mount. Each hears of what the others
// change, keeps files that it has open alive, and has locks; all of it ends with
// the session. Only memory: a client that comes back after a restart brings
// what it had.
import { FileError, ServiceError } from '../../protocol/errors.js';
import { LockTable } from '../../protocol/services/lock-table.js';
import type { CallOptions } from '../../protocol/services/service.js';
import {
  type FileLock,
  LONGEST_WAIT_MS,
  type OutdatedItem,
  SESSION_GRACE_MS,
  type SessionService,
} from '../../protocol/services/sessions.js';
import { CLIENT_ID_BYTES, MAXIMUM_CLIENT_LENGTH } from '../../protocol/values/request-ids.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import { isAmong, LapsedLocks } from './lapsed-locks.js';

/** Changes remembered; a client that is further behind forgets all that it has cached. */
const MAXIMUM_CHANGES = 10_000;
/** What all have heard of is forgotten so many at a time, since those behind are moved. */
const MINIMUM_FORGOTTEN = 256;

interface Session {
  client: string;
  /** Files that it has open, or had until a short while ago. */
  open: Set<number>;
  /** The number of the last change that others made. */
  news: number;
  /** It has heard of all changes up to this number. */
  heard: number;
  /** Ends the session when nothing is heard of the client. */
  grace: Timer | null;
  /** Calls of `changes` that wait. */
  wakers: Set<() => void>;
  /** Writes that are under way. */
  writes: number;
  /** It is over, and the client may not know it. */
  wasSilent: boolean;
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
  readonly locks = new LockTable((lock) => this.#lapsed.granted(lock));
  readonly #lapsed = new LapsedLocks();
  /** This process, as no other calls itself. */
  readonly #name: string;
  /** What may be called from outside, and nothing else. */
  readonly service: SessionService;
  readonly #byClient = new Map<string, Session>();
  readonly #byPeer = new WeakMap<object, Session>();
  /** Numbered one by one. */
  #changes: Change[] = [];
  #last = 0;
  #isClosed = false;

  readonly #files: HeldFiles;
  readonly #runtime: Runtime;
  /** A client has ended its session, and will ask for nothing again. */
  readonly #ended: (client: string) => void;

  constructor(files: HeldFiles, runtime: Runtime, ended: (client: string) => void) {
    this.#files = files;
    this.#runtime = runtime;
    this.#ended = ended;
    this.#name = randomHex(runtime.random, CLIENT_ID_BYTES);
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
      if (session !== origin) this.#tell(session);
    }
  }

  /** Nobody knows what has changed: everybody must forget everything that is cached. */
  unclear(): void {
    this.#changes = [];
    this.#last += 2;
    for (const session of this.#byClient.values()) this.#tell(session);
  }

  /**
   * The caller's session may be over without its knowing, and others may have had its locks since: NO_SESSION until it has
   * begun another. Who never had one is nobody, and may ask.
   */
  refuseOver(options: CallOptions | undefined): void {
    const peer = options?.peer;
    if (peer !== undefined && this.#byPeer.get(peer)?.wasSilent === true) throw noSession();
  }

  /** The caller writes: as long as that is counted, its session is not over. NO_SESSION when it is by now. */
  countWrite(options: CallOptions | undefined): { writes: number } | undefined {
    this.refuseOver(options);
    const session = this.#of(options);
    if (session !== undefined) session.writes++;
    return session;
  }

  /** The caller opens a file; `changes` says when it is closed. */
  opened(inode: number, options: CallOptions | undefined): void {
    this.#of(options)?.open.add(inode);
  }

  /** How many files others than the caller have open; one that several have open counts several times. */
  countElsewhere(options: CallOptions | undefined): number {
    return this.#others(options).reduce((sum, { open }) => sum + open.size, 0);
  }

  /** Those files. */
  openElsewhere(options: CallOptions | undefined): number[] {
    return this.#others(options).flatMap(({ open }) => [...open]);
  }

  isOpenElsewhere(inode: number, options: CallOptions | undefined): boolean {
    return this.#others(options).some(({ open }) => open.has(inode));
  }

  /** A file lost its last name that the caller has open. */
  hold(inode: number, options: CallOptions | undefined): void {
    this.#files.hold(inode);
    this.opened(inode, options);
  }

  /** The caller has closed it. Nothing is released while another session has it open. */
  async release(inode: number, options: CallOptions | undefined): Promise<void> {
    this.#of(options)?.open.delete(inode);
    await this.#releaseUnlessOpen(inode);
  }

  /** How much is remembered for the sessions. */
  kept(): Record<string, number> {
    const sessions = [...this.#byClient.values()];
    return {
      sessions: sessions.length,
      sessionFiles: sessions.reduce((sum, { open }) => sum + open.size, 0),
      sessionQuestions: sessions.reduce((sum, { wakers }) => sum + wakers.size, 0),
      sessionChanges: this.#changes.length,
      lockedFiles: this.locks.size,
      lapsedSessions: this.#lapsed.size,
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const session of this.#byClient.values()) {
      session.grace?.cancel();
      for (const wake of [...session.wakers]) wake();
    }
  }

  async #begin(request: Request<'begin'>, options: CallOptions | undefined): Reply<'begin'> {
    const { client, open, locks, mediator } = request;
    if (typeof client !== 'string' || client === '' || client.length > MAXIMUM_CLIENT_LENGTH) {
      throw new ServiceError('MALFORMED', `client must be a text of 1 to ${MAXIMUM_CLIENT_LENGTH} characters`);
    }
    let session = this.#byClient.get(client);
    const known = session !== undefined;
    if (session === undefined) {
      session = {
        client,
        open: new Set(),
        news: this.#last,
        heard: this.#last,
        grace: null,
        wakers: new Set(),
        writes: 0,
        wasSilent: false,
      };
      this.#byClient.set(client, session);
      this.#runtime.log.info('session.begun', { client });
    }
    const { peer } = options ?? {};
    if (peer !== undefined) this.#byPeer.set(peer, session);
    this.#heard(session);
    // Which of them have lost their names is not known any more where the client isn't.
    if (!known) for (const inode of open) this.#files.hold(inode);
    const stillOpen = new Set(open);
    this.#closed(
      session,
      [...session.open].filter((inode) => !stillOpen.has(inode)),
    );
    session.open = stillOpen;
    // The answer that told of lost ones may have been lost itself. A mount claims a lock only while it was granted.
    const lost = known
      ? locks.filter((lock) => !isAmong(lock, this.locks.heldBy(client)))
      : this.#takeOver(client, locks, mediator);
    return { known, last: this.#last, lost, mediator: this.#name };
  }

  /** What the client had before is its again, as far as that is possible; answers the others. */
  #takeOver(client: string, locks: readonly FileLock[], mediator: string | null): FileLock[] {
    const lapsed = this.#lapsed.take(client);
    const mayHave = (lock: FileLock) => mediator !== this.#name || isAmong(lock, lapsed);
    return locks.filter((lock) => !mayHave(lock) || this.locks.set(client, lock) !== 'granted');
  }

  async #changesAfter({ after, closed }: Request<'changes'>, options: CallOptions | undefined): Reply<'changes'> {
    const session = this.#expect(options);
    this.#closed(session, closed);
    // A number of another mediator's is none of these.
    if (after <= this.#last) session.heard = Math.max(session.heard, after);
    this.#forgetHeard();
    if (!this.#hasNews(session, after)) await this.#news(session, options);
    const missed = this.#hasMissed(after);
    const items: OutdatedItem[] = [];
    if (!missed) {
      for (let at = this.#positionAfter(after); at < this.#changes.length; at++) {
        const change = this.#changes[at];
        if (change !== undefined && change.origin !== session) items.push(change.item);
      }
    }
    return { items, last: this.#last, missed };
  }

  /** Where in #changes the first one stands with a higher number: there may be thousands before it. */
  #positionAfter(after: number): number {
    const first = this.#changes[0]?.number ?? this.#last + 1;
    return Math.max(0, after + 1 - first);
  }

  /** What all have heard of is forgotten, many at a time. */
  #forgetHeard(): void {
    let heard = this.#last;
    for (const session of this.#byClient.values()) heard = Math.min(heard, session.heard);
    const done = Math.min(this.#positionAfter(heard), this.#changes.length);
    if (done >= MINIMUM_FORGOTTEN) this.#changes = this.#changes.slice(done);
  }

  /** What follows `after` is no longer remembered, or never was in this life of the process. */
  #hasMissed(after: number): boolean {
    const oldest = this.#changes[0]?.number ?? this.#last + 1;
    return after + 1 < oldest || after > this.#last;
  }

  #hasNews(session: Session, after: number): boolean {
    if (this.#isClosed || this.#hasMissed(after)) return true;
    for (let at = this.#positionAfter(after); at < this.#changes.length; at++) {
      if (this.#changes[at]?.origin !== session) return true;
    }
    return false;
  }

  /** Until something is published, the client goes, or the wait is over. */
  #news(session: Session, options: CallOptions | undefined): Promise<void> {
    return new Promise((resolve) => {
      // A mount in this process gives the same signal all its life.
      const signal = options?.signal;
      const timer = this.#runtime.clock.after(LONGEST_WAIT_MS, () => wake());
      const wake = (): void => {
        timer.cancel();
        session.wakers.delete(wake);
        signal?.removeEventListener('abort', wake);
        this.#heard(session);
        resolve();
      };
      session.wakers.add(wake);
      // Its own call says that it is there.
      session.grace?.cancel();
      signal?.addEventListener('abort', wake);
    });
  }

  async #setLock(request: Request<'setLock'>, options: CallOptions | undefined): Reply<'setLock'> {
    const session = this.#expect(options);
    const { client } = session;
    const { type, wait, ...range } = request;
    const answer = (granted: boolean) => ({ granted, after: session.news });
    if (type === null) {
      this.locks.unset(client, range);
      return answer(true);
    }
    const lock: FileLock = { ...range, type };
    if (!wait) {
      if (this.locks.set(client, lock) === 'granted') return answer(true);
      throw new FileError('EAGAIN', 'another has a lock there');
    }
    return new Promise((resolve, reject) => {
      const signal = options?.signal;
      const timer = this.#runtime.clock.after(LONGEST_WAIT_MS, () => giveUp());
      const clear = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', giveUp);
      };
      const { outcome, cancel } = this.locks.wait(client, lock, () => {
        clear();
        resolve(answer(true));
      });
      const giveUp = (): void => {
        clear();
        cancel();
        resolve(answer(false));
      };
      if (outcome === 'conflict') {
        signal?.addEventListener('abort', giveUp);
        return;
      }
      clear();
      if (outcome === 'granted') resolve(answer(true));
      else reject(new FileError('EDEADLK', 'the one who has the lock waits for one of this owner'));
    });
  }

  #tell(session: Session): void {
    session.news = this.#last;
    for (const wake of [...session.wakers]) wake();
  }

  #of(options: CallOptions | undefined): Session | undefined {
    const { peer } = options ?? {};
    const session = peer === undefined ? undefined : this.#byPeer.get(peer);
    return session !== undefined && this.#byClient.get(session.client) === session ? session : undefined;
  }

  #expect(options: CallOptions | undefined): Session {
    const session = this.#of(options);
    if (session === undefined) throw noSession();
    return session;
  }

  #heard(session: Session): void {
    session.grace?.cancel();
    if (this.#isClosed || this.#byClient.get(session.client) !== session) return;
    session.grace = this.#runtime.clock.after(SESSION_GRACE_MS, () => {
      // Nobody else may have its locks while something is still to be stored that may have been written under them.
      if (session.writes > 0) return this.#heard(session);
      this.#finish(session, 'silent').catch((error: unknown) => {
        rethrowProgramFault(error);
        this.#runtime.log.error('session.release_failed', { client: session.client, ...errorFields(error) });
      });
    });
  }

  async #finish(session: Session, how: 'ended' | 'silent'): Promise<void> {
    const { client, open } = session;
    session.grace?.cancel();
    this.#byClient.delete(client);
    if (how === 'silent') {
      session.wasSilent = true;
      this.#lapsed.keep(client, this.locks.heldBy(client));
    }
    this.locks.drop(client);
    for (const wake of [...session.wakers]) wake();
    this.#runtime.log[how === 'ended' ? 'info' : 'warn'](`session.${how}`, { client, open: open.size });
    for (const inode of open) await this.#releaseUnlessOpen(inode);
    if (how === 'ended') this.#ended(client);
  }

  /** At once nobody counts on them any more; their space comes back in the background. */
  #closed(session: Session, inodes: readonly number[]): void {
    for (const inode of inodes) session.open.delete(inode);
    const release = async () => {
      for (const inode of inodes) await this.#releaseUnlessOpen(inode);
    };
    release().catch((error: unknown) => {
      rethrowProgramFault(error);
      this.#runtime.log.error('session.release_failed', { client: session.client, ...errorFields(error) });
    });
  }

  async #releaseUnlessOpen(inode: number): Promise<void> {
    for (const { open } of this.#byClient.values()) if (open.has(inode)) return;
    await this.#files.release(inode);
  }

  #others(options: CallOptions | undefined): Session[] {
    const own = this.#of(options);
    return [...this.#byClient.values()].filter((session) => session !== own);
  }
}

function noSession(): ServiceError {
  return new ServiceError('NO_SESSION', 'the session is over, or none was begun');
}
