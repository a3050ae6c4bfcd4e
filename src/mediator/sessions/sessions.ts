// Who uses this mediator: one session per mount. A session has a place in the
// feed of changes (change-feed.ts), open files (session-files.ts) and locks
// (session-locks.ts); all of it ends with the session. Only memory: a client
// that comes back after a restart brings what it had.
import { FileError, ServiceError } from '../../protocol/errors.js';
import type { CallOptions } from '../../protocol/services/service.js';
import {
  type FileLock,
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
import { ChangeFeed, type Subscriber } from './change-feed.js';
import type { HeldFiles } from './held-files.js';
import { type InodeSet, SessionFiles } from './session-files.js';
import { SessionLocks } from './session-locks.js';

/** From the first mount's session on. A mount finds a mediator that was started anew, or took over, in far less. */
export const RECLAIM_MS = 1000;

interface Session {
  client: string;
  subscriber: Subscriber;
  open: InodeSet;
  /** Expires the session unless the client is heard of before. */
  grace: Timer | null;
  /** Writes under way: the session does not expire before they are done. */
  writes: number;
  /** The session is over, and the client may not know it. */
  isExpired: boolean;
}

type Request<K extends keyof SessionService> = Parameters<SessionService[K]>[0];
type Reply<K extends keyof SessionService> = ReturnType<SessionService[K]>;

export class Sessions {
  /** What mounts may call. */
  readonly service: SessionService;
  readonly #byClient = new Map<string, Session>();
  /** By connection. A session that is over stays here, so that its client is refused. */
  readonly #byPeer = new WeakMap<object, Session>();
  readonly #feed: ChangeFeed;
  readonly #files: SessionFiles;
  readonly #locks: SessionLocks;
  /** Random: names this mediator process to the mounts. */
  readonly #name: string;
  #isClosed = false;

  readonly #runtime: Runtime;
  readonly #ended: (client: string) => void;

  /**
   * @param ended called when a client has ended its session itself, and will ask for nothing again
   * @param reclaimMs for so long nobody gets new locks, since others may still come for those that an earlier mediator gave them
   */
  constructor(
    held: Pick<HeldFiles, 'hold' | 'release'>,
    runtime: Runtime,
    ended: (client: string) => void,
    reclaimMs = RECLAIM_MS,
  ) {
    this.#feed = new ChangeFeed(runtime.clock);
    this.#files = new SessionFiles(held);
    this.#locks = new SessionLocks(runtime.clock, reclaimMs);
    this.#runtime = runtime;
    this.#ended = ended;
    this.#name = randomHex(runtime.random, CLIENT_ID_BYTES);
    this.service = {
      begin: (request, options) => this.#begin(request, options),
      changes: (request, options) => this.#changes(request, options),
      setLock: (request, options) => this.#setLock(request, options),
      restoreLocks: async ({ locks, ...range }, options) => ({
        lost: this.#locks.restore(this.#expect(options).client, range, locks),
      }),
      getLock: async (request, options) => {
        this.#expect(options);
        await this.#locks.reclaimed();
        return { conflict: this.#locks.conflict(this.#expect(options).client, request) };
      },
      end: async (_request, options) => {
        const session = this.#of(options);
        if (session !== undefined) await this.#finish(session, 'ended');
        return {};
      },
    };
  }

  /** Tells every mount but the caller's that what it has cached of these is outdated. */
  publish(items: readonly OutdatedItem[], options: CallOptions | undefined): void {
    this.#feed.publish(items, this.#of(options)?.subscriber);
  }

  /** Makes every mount forget all that it has cached: nobody knows what has changed. */
  invalidateAll(): void {
    this.#feed.invalidateAll();
  }

  /**
   * Throws NO_SESSION when the caller's session has expired: others may have had its locks since, and it may not know. A caller
   * who has never begun a session is not refused.
   */
  refuseExpired(options: CallOptions | undefined): void {
    const peer = options?.peer;
    if (peer !== undefined && this.#byPeer.get(peer)?.isExpired === true) throw noSession();
  }

  /** Counts a write of the caller, who counts it down in what this answers. Throws NO_SESSION when the session has expired. */
  countWrite(options: CallOptions | undefined): { writes: number } | undefined {
    this.refuseExpired(options);
    const session = this.#of(options);
    if (session !== undefined) session.writes++;
    return session;
  }

  /** The caller opens a file. It tells of the close with its next call of `changes`. */
  opened(inode: number, options: CallOptions | undefined): void {
    this.#of(options)?.open.add(inode);
  }

  /** The caller has made a file, and has it open. One that has given up meanwhile does not know of it, and would never close it. */
  made(inode: number, options: CallOptions | undefined): void {
    if (!hasGivenUp(options)) this.opened(inode, options);
  }

  /** Whether there is one mount at most. */
  get areAlone(): boolean {
    return this.#byClient.size <= 1;
  }

  /** How many files other mounts than the caller's have open; one that several have open counts several times. */
  countElsewhere(options: CallOptions | undefined): number {
    return this.#files.countElsewhere(this.#of(options)?.open);
  }

  /** Those files. */
  openElsewhere(options: CallOptions | undefined): number[] {
    return this.#files.openElsewhere(this.#of(options)?.open);
  }

  isOpenElsewhere(inode: number, options: CallOptions | undefined): boolean {
    return this.#files.isOpenElsewhere(this.#of(options)?.open, inode);
  }

  /** The caller has a file open that has no name, or has just lost its last one: it is kept. */
  hold(inode: number, options: CallOptions | undefined): void {
    if (!hasGivenUp(options)) this.#files.hold(this.#of(options)?.open, inode);
    // It may have closed the file meanwhile, and have said so.
    else if (this.#files.isOpenElsewhere(undefined, inode)) this.#files.hold(undefined, inode);
  }

  /** The caller has closed the file. It is released unless another mount has it open. */
  release(inode: number, options: CallOptions | undefined): Promise<void> {
    return this.#files.close(this.#of(options)?.open, [inode]);
  }

  /** How many entries are in memory, by kind. */
  kept(): Record<string, number> {
    return {
      sessions: this.#byClient.size,
      sessionFiles: this.#files.size,
      sessionQuestions: this.#feed.waits,
      sessionChanges: this.#feed.size,
      lockedFiles: this.#locks.size,
      lapsedSessions: this.#locks.lapsedClients,
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const { grace } of this.#byClient.values()) grace?.cancel();
    this.#locks.close();
    this.#feed.close();
  }

  async #begin(request: Request<'begin'>, options: CallOptions | undefined): Reply<'begin'> {
    const { client, open, locks, mediator } = request;
    if (typeof client !== 'string' || client === '' || client.length > MAXIMUM_CLIENT_LENGTH) {
      throw new ServiceError('MALFORMED', `client must be a text of 1 to ${MAXIMUM_CLIENT_LENGTH} characters`);
    }
    this.#locks.begun();
    const earlier = this.#byClient.get(client);
    const session = earlier ?? this.#add(client);
    const { peer } = options ?? {};
    if (peer !== undefined) this.#byPeer.set(peer, session);
    this.#restartGrace(session);
    if (earlier === undefined) this.#files.holdAll(open);
    const stillOpen = new Set(open);
    this.#closed(
      session,
      [...session.open].filter((inode) => !stillOpen.has(inode)),
    );
    for (const inode of open) session.open.add(inode);
    const known = earlier !== undefined;
    const lost = known
      ? this.#locks.resume(client, locks)
      : this.#locks.takeOver(client, locks, mediator === this.#name);
    return { known, last: this.#feed.last, lost, mediator: this.#name };
  }

  async #changes({ after, closed }: Request<'changes'>, options: CallOptions | undefined): Reply<'changes'> {
    const session = this.#expect(options);
    const { subscriber } = session;
    this.#closed(session, closed);
    this.#feed.acknowledge(subscriber, after);
    if (!this.#feed.hasNews(subscriber, after)) {
      // While its question waits, the client counts as alive.
      session.grace?.cancel();
      await this.#feed.untilNews(subscriber, options?.signal);
      this.#restartGrace(session);
    }
    return this.#feed.read(subscriber, after);
  }

  async #setLock(request: Request<'setLock'>, options: CallOptions | undefined): Reply<'setLock'> {
    const { type, wait, ...range } = request;
    this.#expect(options);
    if (type !== null) await this.#locks.reclaimed();
    const { client, subscriber } = this.#expect(options);
    if (hasGivenUp(options)) throw new ServiceError('CANCELLED', 'the caller is gone');
    if (type === null) {
      this.#locks.unset(client, range);
      return { granted: true, after: subscriber.lastOfOthers };
    }
    const lock: FileLock = { ...range, type };
    const granted = wait ? await this.#locks.wait(client, lock, options?.signal) : this.#locks.set(client, lock);
    if (!granted && !wait) throw new FileError('EAGAIN', 'another has a lock there');
    return { granted, after: subscriber.lastOfOthers };
  }

  #add(client: string): Session {
    const session: Session = {
      client,
      subscriber: this.#feed.subscribe(),
      open: this.#files.add(),
      grace: null,
      writes: 0,
      isExpired: false,
    };
    this.#byClient.set(client, session);
    this.#runtime.log.info('session.begun', { client });
    return session;
  }

  #of(options: CallOptions | undefined): Session | undefined {
    const { peer } = options ?? {};
    const session = peer === undefined ? undefined : this.#byPeer.get(peer);
    return session !== undefined && this.#isLive(session) ? session : undefined;
  }

  #expect(options: CallOptions | undefined): Session {
    const session = this.#of(options);
    if (session === undefined) throw noSession();
    return session;
  }

  #isLive(session: Session): boolean {
    return this.#byClient.get(session.client) === session;
  }

  /** The client was heard of: its session lives for another grace period. */
  #restartGrace(session: Session): void {
    session.grace?.cancel();
    if (this.#isClosed || !this.#isLive(session)) return;
    session.grace = this.#runtime.clock.after(SESSION_GRACE_MS, () => {
      // The writes may have been made under the session's locks: nobody else may get these before they are stored.
      if (session.writes > 0) return this.#restartGrace(session);
      this.#finish(session, 'silent').catch((error: unknown) => this.#releaseFailed(session, error));
    });
  }

  async #finish(session: Session, how: 'ended' | 'silent'): Promise<void> {
    const { client, open, subscriber } = session;
    session.grace?.cancel();
    this.#byClient.delete(client);
    if (how === 'silent') {
      session.isExpired = true;
      this.#locks.lapse(client);
    } else {
      this.#locks.drop(client);
    }
    this.#feed.unsubscribe(subscriber);
    this.#runtime.log[how === 'ended' ? 'info' : 'warn'](`session.${how}`, { client, open: open.size });
    await this.#files.remove(open);
    if (how === 'ended') this.#ended(client);
  }

  /** The files count as closed at once; their space comes back in the background. */
  #closed(session: Session, inodes: readonly number[]): void {
    if (inodes.length === 0) return;
    this.#files.close(session.open, inodes).catch((error: unknown) => this.#releaseFailed(session, error));
  }

  #releaseFailed({ client }: Session, error: unknown): void {
    rethrowProgramFault(error);
    this.#runtime.log.error('session.release_failed', { client, ...errorFields(error) });
  }
}

/** Whether the caller, or the connection that it called by, is gone: it will not hear the answer. */
function hasGivenUp(options: CallOptions | undefined): boolean {
  return options?.signal?.aborted === true;
}

function noSession(): ServiceError {
  return new ServiceError('NO_SESSION', 'the session is over, or none was begun');
}
