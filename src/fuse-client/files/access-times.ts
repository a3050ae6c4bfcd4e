// Access times. The kernel keeps none for FUSE (its inodes are S_NOATIME), so
// reading moves them only if this does it. As Linux does by relatime: when the
// access time is not after the last change, and once a day. A read never waits
// for it; what is lost with a crash is lost.
import type { Attributes, FileService } from '../../protocol/services/files.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { AccessTimesMode } from '../mount-settings.js';

const DAY_NS = 24n * 60n * 60n * 1_000_000_000n;
/** Reads of files beyond so many may be told twice. */
const KEPT_ENTRIES = 4096;

/** See mount(8), relatime. */
export function isDue({ accessTimeNs, modifyTimeNs, changeTimeNs }: Attributes, nowNs: bigint): boolean {
  return accessTimeNs <= modifyTimeNs || accessTimeNs <= changeTimeNs || nowNs - accessTimeNs >= DAY_NS;
}

export class AccessTimes {
  /** What has been told of lately: clocks of hosts differ, so a time that was set may seem to be due at once. */
  readonly #told = new Map<number, { revision: number; atNs: bigint }>();

  readonly #files: FileService;
  readonly #runtime: Runtime;
  readonly #mode: AccessTimesMode;
  readonly #changed: (attributes: Attributes) => void;

  /** @param changed what the service answered */
  constructor(files: FileService, runtime: Runtime, mode: AccessTimesMode, changed: (attributes: Attributes) => void) {
    this.#files = files;
    this.#runtime = runtime;
    this.#mode = mode;
    this.#changed = changed;
  }

  /** Files whose access time was told of lately. */
  get size(): number {
    return this.#told.size;
  }

  /** Bytes of a file were read. */
  read(attributes: Attributes): void {
    if (this.#mode === 'noatime') return;
    const { inode, revision } = attributes;
    const nowNs = this.#runtime.clock.nowNs();
    const told = this.#told.get(inode);
    if (told !== undefined && told.revision === revision && nowNs - told.atNs < DAY_NS) return;
    if (!isDue(attributes, nowNs)) return;
    this.#told.set(inode, { revision, atNs: nowNs });
    if (this.#told.size > KEPT_ENTRIES) {
      const [oldest] = this.#told.keys();
      if (oldest !== undefined) this.#told.delete(oldest);
    }
    this.#tell(inode).catch((error: unknown) => {
      // The file may be gone by now; anything else shows in what programs ask for themselves.
      this.#runtime.log.debug('mount.access-time', { inode, error: String(error) });
    });
  }

  async #tell(inode: number): Promise<void> {
    this.#changed(await this.#files.setattr({ inode, changes: { accessed: true }, caller: { uid: 0, gid: 0 } }));
  }
}
