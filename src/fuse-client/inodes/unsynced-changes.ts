// Changes of names and attributes that no fsync has made durable yet. When the
// metaserver loses them by a crash, the mediator carries them out again. When
// both have crashed they are lost: then fsync fails once through each handle on
// such an inode, also through one that is opened only for the fsync.
import { FileError } from '../../protocol/errors.js';
import { type FileService, ROOT_INODE } from '../../protocol/services/files.js';
import { isUnbroken, type Verifier } from '../../protocol/values/verifier.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { type HandleTable, inodeOf } from '../handles/handle-table.js';
import type { UnreportedError } from '../write-back/unreported-errors.js';

/** By then a change usually is on the disk; an fsync makes sure. */
const SYNC_AFTER_MS = 1000;
/**
 * Each handle that is opened within this time after its inode's changes were lost reports the error: its program may have made
 * them. Later, only until one handle has reported it, as Linux does for a file that nobody had open (errseq_t).
 */
const REPORTED_TO_ALL_MS = 60_000;

/** How many inodes with lost changes are kept when no handle has reported them. */
const MOST_UNREPORTED = 10_000;

/** Stands for the first verifier when none came: every later one breaks with it. */
const UNKNOWN_VERIFIER: Verifier = { mediator: '', history: '' };

interface LostChanges extends UnreportedError {
  /** REPORTED_TO_ALL_MS have passed. */
  isOld: boolean;
}

export class UnsyncedChanges {
  /** Inode → the number of its last change. */
  readonly #changed = new Map<number, number>();
  /** The number of the last change that was answered. */
  #answered = 0;
  readonly #lost = new Map<number, LostChanges>();
  /** Of the last fsync. When the next one breaks with it, changes are lost. */
  #verifier: Verifier | undefined;
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

  /** Before the first change: later verifiers are compared with that of now. */
  async start(): Promise<void> {
    await this.check();
    // The mount works without a first verifier, but any later one then means that changes may be lost.
    this.#verifier ??= UNKNOWN_VERIFIER;
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

  /** Resolves when all changes that were answered before are durable, or the handles have the error that says that they are lost. */
  async sync(inode: number): Promise<void> {
    const answered = this.#answered;
    const { verifier } = await this.#files.fsync({ inode });
    if (this.#verifier !== undefined && !isUnbroken(this.#verifier, verifier)) this.#lose();
    this.#verifier = verifier;
    for (const [each, last] of this.#changed) if (last <= answered) this.#changed.delete(each);
  }

  /** A sync that nobody waits for. Retries later when it fails; never rejects. */
  async check(): Promise<void> {
    try {
      await this.sync(ROOT_INODE);
    } catch (error) {
      rethrowProgramFault(error);
      this.#runtime.log.debug('mount.unsynced', errorFields(error));
      this.#syncSoon();
    }
  }

  /** The error that a new handle on this inode has to report. */
  errorOf(inode: number): UnreportedError | undefined {
    const lost = this.#lost.get(inode);
    if (lost === undefined || !isOver(lost)) return lost;
    this.#lost.delete(inode);
    return undefined;
  }

  end(): void {
    this.#isEnded = true;
    for (const timer of this.#timers) timer.cancel();
  }

  /** Takes all changes for lost, those too that were answered since: nobody knows when the crash was. */
  #lose(): void {
    if (this.#changed.size === 0) return;
    const error = new FileError('EIO', 'changes were lost when the mediator and the metaserver crashed');
    const lost = new Map<number, LostChanges>();
    for (const inode of this.#changed.keys()) {
      const changes = { error, isDataLoss: false, isReported: false, isOld: false };
      lost.set(inode, changes);
      this.#lost.set(inode, changes);
    }
    this.#runtime.log.error('mount.changes_lost', { inodes: lost.size });
    for (const handle of this.#handles.all) {
      const changes = lost.get(inodeOf(handle));
      if (changes === undefined || handle.unreported !== undefined) continue;
      handle.unreported = changes;
      // Calls that make nothing durable, a write for example, do not report it.
      if (handle.kind === 'file') handle.isReportedBeforeFsync = true;
    }
    this.#after(REPORTED_TO_ALL_MS, () => {
      for (const [inode, changes] of lost) {
        changes.isOld = true;
        if (isOver(changes) && this.#lost.get(inode) === changes) this.#lost.delete(inode);
      }
      for (const inode of this.#lost.keys()) {
        if (this.#lost.size <= MOST_UNREPORTED) break;
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

/** New handles need not report these any more. */
function isOver({ isOld, isReported }: LostChanges): boolean {
  return isOld && isReported;
}
