// Changes of names and attributes that this mount was answered and no fsync
// has covered. A mediator carries them out again when the metaserver has lost
// them by a crash; when both have crashed they are gone, and every program that
// asks for them to be durable must hear so: through each handle on such an
// inode once, also where one is opened only to ask.
import { FileError } from '../../protocol/errors.js';
import { type FileService, ROOT_INODE } from '../../protocol/services/files.js';
import { isUnbroken, type Verifier } from '../../protocol/services/verifier.js';
import type { Timer } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import { type HandleTable, inodeOf } from '../handles/handle-table.js';
import type { Failure } from '../write-back/unreported-errors.js';

/** What was changed before is on the disk by then, usually; asking brings the certainty. */
const SYNC_AFTER_MS = 1000;
/**
 * Whoever opens an inode within this time after its changes were lost may be one of those who made them. Later it is enough
 * that anybody was told, as it is at once where Linux has failed to write a file that nobody had open (errseq_t).
 */
const TELL_ALL_MS = 60_000;

/** Of inodes whose changes were lost, so many are kept that nobody has asked for. */
const MOST_UNTOLD = 10_000;

const UNHEARD: Verifier = { mediator: '', history: '' };

interface LostChanges extends Failure {
  isOld: boolean;
}

export class UnsyncedChanges {
  /** By inode, how many changes had been answered with its last. */
  readonly #changed = new Map<number, number>();
  #answered = 0;
  readonly #lost = new Map<number, LostChanges>();
  #known: Verifier | undefined;
  readonly #timers = new Set<Timer>();
  #isSyncDue = false;
  #isEnded = false;

  readonly #files: FileService;
  readonly #handles: HandleTable;
  readonly #runtime: Runtime;

  constructor(files: FileService, handles: HandleTable, runtime: Runtime) {
    this.#files = files;
    this.#handles = handles;
    this.#runtime = runtime;
  }

  /** Before the first change: what comes later is measured by what is heard now. */
  async start(): Promise<void> {
    await this.check();
    // A mount is of use without, and what it is answered may be lost before it hears of another.
    this.#known ??= UNHEARD;
  }

  kept(): Record<string, number> {
    return { unsyncedInodes: this.#changed.size, lostInodes: this.#lost.size, unsyncedTimers: this.#timers.size };
  }

  /** Changes of these inodes were answered. */
  add(inodes: readonly number[]): void {
    if (inodes.length === 0) return;
    this.#answered++;
    for (const inode of inodes) this.#changed.set(inode, this.#answered);
    this.#syncSoon();
  }

  /** Resolves when all that was answered before is durable, or the handles have the failure that says that it is lost. */
  async sync(inode: number): Promise<void> {
    const answered = this.#answered;
    const { verifier } = await this.#files.fsync({ inode });
    if (this.#known !== undefined && !isUnbroken(this.#known, verifier)) this.#lose();
    this.#known = verifier;
    for (const [each, last] of this.#changed) if (last <= answered) this.#changed.delete(each);
  }

  /** The same where nobody waits for it: asks again later when it fails, and never rejects. */
  async check(): Promise<void> {
    try {
      await this.sync(ROOT_INODE);
    } catch (error) {
      this.#runtime.log.debug('mount.unsynced', { reason: String(error) });
      this.#syncSoon();
    }
  }

  /** The failure that a handle on this inode begins with. */
  failureOf(inode: number): Failure | undefined {
    const lost = this.#lost.get(inode);
    if (lost === undefined || !isOver(lost)) return lost;
    this.#lost.delete(inode);
    return undefined;
  }

  end(): void {
    this.#isEnded = true;
    for (const timer of this.#timers) timer.cancel();
  }

  /** Also changes that were answered since: when it was is not known. */
  #lose(): void {
    if (this.#changed.size === 0) return;
    const error = new FileError('EIO', 'changes were lost when the mediator and the metaserver crashed');
    const lost = new Map<number, LostChanges>();
    for (const inode of this.#changed.keys()) {
      const failure = { error, isOfBytes: false, isTold: false, isOld: false };
      lost.set(inode, failure);
      this.#lost.set(inode, failure);
    }
    this.#runtime.log.error('mount.changes_lost', { inodes: lost.size });
    for (const handle of this.#handles.all) {
      const failure = lost.get(inodeOf(handle));
      if (failure === undefined || handle.failure !== undefined) continue;
      handle.failure = failure;
      // A write would not have stored these changes: only who asks for what is stored is told.
      if (handle.kind === 'file') handle.isFailureSeen = true;
    }
    this.#after(TELL_ALL_MS, () => {
      for (const [inode, failure] of lost) {
        failure.isOld = true;
        if (isOver(failure) && this.#lost.get(inode) === failure) this.#lost.delete(inode);
      }
      for (const inode of this.#lost.keys()) {
        if (this.#lost.size <= MOST_UNTOLD) break;
        this.#lost.delete(inode);
      }
    });
  }

  #syncSoon(): void {
    if (this.#isSyncDue) return;
    this.#isSyncDue = true;
    this.#after(SYNC_AFTER_MS, () => {
      this.#isSyncDue = false;
      void this.check();
    });
  }

  #after(delayMs: number, action: () => void): void {
    if (this.#isEnded) return;
    const timer = this.#runtime.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      action();
    });
    this.#timers.add(timer);
  }
}

function isOver({ isOld, isTold }: LostChanges): boolean {
  return isOld && isTold;
}
