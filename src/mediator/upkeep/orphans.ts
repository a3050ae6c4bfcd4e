// Orphans: files without a name. Purges those that no mount holds: the
// metaserver takes them apart, and their blocks become garbage.
import { FileError } from '../../protocol/errors.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { SESSION_GRACE_MS } from '../../protocol/services/sessions.js';
import type { Clock } from '../../runtime/clock.js';
import type { HeldFiles } from '../sessions/held-files.js';

const BATCH_INODES = 1000;

interface Dependencies {
  metadata: MetadataService;
  held: HeldFiles;
  clock: Clock;
  /** Called when a file may be gone, with all its blocks. */
  purged: (inode: number) => void;
}

export class Orphans {
  readonly #metadata: MetadataService;
  readonly #held: HeldFiles;
  readonly #clock: Clock;
  readonly #purged: (inode: number) => void;
  readonly #startMs: number;

  constructor({ metadata, held, clock, purged }: Dependencies) {
    this.#metadata = metadata;
    this.#held = held;
    this.#clock = clock;
    this.#purged = purged;
    this.#startMs = clock.monotonicMs();
  }

  /** How long after a start no orphan is purged: until then, mounts that hold one from before say so. */
  get graceLeftMs(): number {
    return this.#startMs + SESSION_GRACE_MS - this.#clock.monotonicMs();
  }

  /** Purges orphans that may be purged, some at a time; a later call takes the others. */
  async purgeUnheld(): Promise<void> {
    const { inodes } = await this.#metadata.query({ name: 'orphans', request: { limit: BATCH_INODES } });
    for (const inode of inodes) {
      if (this.#held.mayBePurged(inode)) await this.#purge(inode);
    }
  }

  /** The last mount has closed a held file: purges it, unless it has got a name meanwhile. */
  async purgeReleased(inode: number): Promise<void> {
    try {
      await this.#purge(inode);
    } catch (error) {
      if (!(error instanceof FileError && error.code === 'EINVAL')) throw error;
    }
  }

  /** Fails with EINVAL when the file has a name. */
  async #purge(inode: number): Promise<void> {
    try {
      for (let done = false; !done; ) {
        ({ done } = await this.#metadata.execute({
          name: 'purge',
          timeNs: this.#clock.nowNs(),
          request: { inode },
          durable: false,
        }));
      }
    } finally {
      // A purge that failed may have been carried out.
      this.#purged(inode);
    }
  }
}
