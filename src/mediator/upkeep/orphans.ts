// Orphans: files without a name. Purges those that no mount holds: the
// metaserver takes them apart, and their blocks become garbage.
import { FileError } from '../../protocol/errors.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { SESSION_GRACE_MS } from '../../protocol/services/sessions.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { HeldFiles } from '../sessions/held-files.js';

const BATCH_INODES = 1000;

interface Dependencies {
  metadata: MetadataService;
  held: HeldFiles;
  runtime: Runtime;
  /** Called when a file may be gone, with all its blocks. */
  purged: (inode: number) => void;
}

export class Orphans {
  readonly #metadata: MetadataService;
  readonly #held: HeldFiles;
  readonly #runtime: Runtime;
  readonly #purged: (inode: number) => void;
  readonly #startMs: number;
  /** Files of which a purge is under way. */
  readonly #purging = new Set<number>();

  constructor({ metadata, held, runtime, purged }: Dependencies) {
    this.#metadata = metadata;
    this.#held = held;
    this.#runtime = runtime;
    this.#purged = purged;
    this.#startMs = runtime.clock.monotonicMs();
  }

  /** How long after a start no orphan is purged: until then, mounts that hold one from before say so. */
  get graceLeftMs(): number {
    return this.#startMs + SESSION_GRACE_MS - this.#runtime.clock.monotonicMs();
  }

  /** Whether the file may go at any moment: nobody opens it any more. */
  isPurging(inode: number): boolean {
    return this.#purging.has(inode);
  }

  /**
   * Purges all orphans that may be purged. One that can't be purged is logged and keeps none of the others from it, unless the
   * metaserver does not answer. @returns false when some must be tried again
   */
  async purgeUnheld(isClosing: () => boolean): Promise<boolean> {
    let isDone = true;
    let request: { after?: number; limit: number } = { limit: BATCH_INODES };
    for (;;) {
      const { inodes } = await this.#metadata.query({ name: 'orphans', request });
      for (const inode of inodes) {
        if (isClosing()) return false;
        if (!this.#held.mayBePurged(inode)) continue;
        try {
          await this.#purgeUnlessNamed(inode);
        } catch (error) {
          rethrowProgramFault(error);
          isDone = false;
          this.#runtime.log.warn('garbage.orphan_kept', { inode, ...errorFields(error) });
          if (!(error instanceof FileError)) return false;
        }
      }
      const last = inodes.at(-1);
      if (last === undefined || inodes.length < BATCH_INODES) return isDone;
      request = { after: last, limit: BATCH_INODES };
    }
  }

  /** The last mount that is known to have the file open has closed it; another that has it may not have said so yet. */
  async released(inode: number): Promise<void> {
    if (this.graceLeftMs <= 0) await this.#purgeUnlessNamed(inode);
  }

  /** Purges a file unless it has got a name meanwhile. */
  async #purgeUnlessNamed(inode: number): Promise<void> {
    try {
      await this.#purge(inode);
    } catch (error) {
      if (!(error instanceof FileError && error.code === 'EINVAL')) throw error;
    }
  }

  /** Fails with EINVAL when the file has a name. */
  async #purge(inode: number): Promise<void> {
    this.#purging.add(inode);
    try {
      for (let done = false; !done; ) {
        ({ done } = await this.#metadata.execute({
          name: 'purge',
          timeNs: this.#runtime.clock.nowNs(),
          request: { inode },
          durable: false,
        }));
      }
    } finally {
      this.#purging.delete(inode);
      // A purge that failed may have been carried out.
      this.#purged(inode);
    }
  }
}
