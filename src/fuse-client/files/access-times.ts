// Access times. The kernel keeps none for FUSE (its inodes are S_NOATIME), so the
// mount sets them, as Linux does by relatime: at a read whose file has an access
// time that is not after its last change, or that is a day old. A read never
// waits for that, and a crash may lose it.
import type { Attributes, FileService } from '../../protocol/services/files.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { dropOldest } from '../../runtime/drop-oldest.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { AccessTimesMode } from '../mount-settings.js';

const DAY_NS = 24n * 60n * 60n * 1_000_000_000n;
/** Of more files, an access time may be set twice. */
const KEPT_ENTRIES = 4096;

/** See mount(8), relatime. */
export function isDue({ accessTimeNs, modifyTimeNs, changeTimeNs }: Attributes, nowNs: bigint): boolean {
  return accessTimeNs <= modifyTimeNs || accessTimeNs <= changeTimeNs || nowNs - accessTimeNs >= DAY_NS;
}

export class AccessTimes {
  /** Access times that were set lately: since clocks of hosts differ, one may seem to be due again at once. */
  readonly #set = new Map<number, { revision: number; atNs: bigint }>();

  readonly #files: FileService;
  readonly #runtime: Runtime;
  readonly #mode: AccessTimesMode;
  readonly #changed: (attributes: Attributes) => void;

  /** @param changed gets the attributes that the service answered */
  constructor(files: FileService, runtime: Runtime, mode: AccessTimesMode, changed: (attributes: Attributes) => void) {
    this.#files = files;
    this.#runtime = runtime;
    this.#mode = mode;
    this.#changed = changed;
  }

  /** Files whose access time was set lately. */
  get size(): number {
    return this.#set.size;
  }

  /** Bytes of a file were read. */
  read(attributes: Attributes): void {
    if (this.#mode === 'noatime') return;
    const { inode, revision } = attributes;
    const nowNs = this.#runtime.clock.nowNs();
    const last = this.#set.get(inode);
    if (last !== undefined && last.revision === revision && nowNs - last.atNs < DAY_NS) return;
    if (!isDue(attributes, nowNs)) return;
    this.#set.set(inode, { revision, atNs: nowNs });
    dropOldest(this.#set, KEPT_ENTRIES);
    this.#touch(inode).catch((error: unknown) => {
      rethrowProgramFault(error);
      // The file may be gone by now; any other trouble shows in the programs' own requests.
      this.#runtime.log.debug('mount.access-time', { inode, ...errorFields(error) });
    });
  }

  async #touch(inode: number): Promise<void> {
    this.#changed(await this.#files.setattr({ inode, changes: { accessed: true }, caller: { uid: 0, gid: 0 } }));
  }
}
