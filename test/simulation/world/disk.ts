// A disk adapter over a platter: every operation takes virtual time and dies
// with its process.
import {
  DIRECT_ALIGNMENT_BYTES,
  type Disk,
  type DiskFile,
  type DiskSpace,
  type OpenMode,
} from '../../../src/runtime/disk.js';
import { type Platter, PlatterFile } from './platter.js';
import type { SimulatedProcess } from './process.js';
import type { SeededRandom } from './seeded-random.js';

/** How a disk misbehaves just now. */
export interface DiskTroubles {
  /** Syncs fail, and what they were to sync may be lost. */
  failSyncs: boolean;
  /** Operations that wait for the disk while it is stalled; null when it is not. */
  stalled: (() => void)[] | null;
}

/** Carries out an operation that takes about `usualUs` microseconds, or never. */
export type Carry = <T>(usualUs: number, operation: () => T) => Promise<T>;

/** Carries out at once: for looking at a platter from outside of the simulation. */
export const carryNow: Carry = async (_usualUs, operation) => operation();

/** Carries out as a part of a process. */
export function carryIn(process: SimulatedProcess, random: SeededRandom, troubles: DiskTroubles): Carry {
  return (usualUs, operation) =>
    new Promise((resolve, reject) => {
      const slow = random.chance(0.02) ? 20 : 1;
      const carry = () => {
        if (troubles.stalled !== null) {
          troubles.stalled.push(() => process.after(0, carry));
          return;
        }
        try {
          resolve(operation());
        } catch (error) {
          reject(error);
        }
      };
      process.after(random.between(usualUs / 2, usualUs * 2) * slow, carry);
    });
}

const READ_US = 60;
const WRITE_US = 30;
const NAME_US = 20;
const SYNC_US = 800;

export class SimulatedDisk implements Disk {
  readonly #platter: Platter;
  readonly #carry: Carry;
  readonly #troubles: DiskTroubles;
  readonly #diskId: string;

  constructor(platter: Platter, carry: Carry, troubles: DiskTroubles, diskId = 'platter') {
    this.#platter = platter;
    this.#carry = carry;
    this.#troubles = troubles;
    this.#diskId = diskId;
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.#carry(NAME_US, () => {
      let file = this.#platter.get(path);
      if (file === undefined) {
        if (mode !== 'create') throw failure('ENOENT', path);
        file = new PlatterFile();
        this.#platter.link(path, file);
      }
      return new SimulatedFile(path, file, this.#platter, this.#carry, this.#troubles);
    });
  }

  list(directory: string): Promise<string[]> {
    const prefix = `${directory}/`;
    return this.#carry(NAME_US, () => {
      const names = new Set<string>();
      for (const [path] of this.#platter.files()) {
        const [name] = path.startsWith(prefix) ? path.slice(prefix.length).split('/') : [];
        if (name !== undefined) names.add(name);
      }
      return [...names];
    });
  }

  /** Folders need no making here: they are there as soon as something is in them. */
  makeDirectory(_path: string): Promise<void> {
    return this.#carry(NAME_US, () => {});
  }

  remove(path: string): Promise<void> {
    return this.#carry(NAME_US, () => {
      for (const [name] of this.#platter.files()) {
        if (name === path || name.startsWith(`${path}/`)) this.#platter.link(name, null);
      }
    });
  }

  async syncDirectory(path: string): Promise<void> {
    const { sequence } = this.#platter;
    await this.#carry(SYNC_US, () => {
      if (this.#troubles.failSyncs) throw failure('EIO', path);
      this.#platter.namesSynced(path, sequence);
    });
  }

  readFile(path: string): Promise<Uint8Array | undefined> {
    return this.#carry(READ_US, () => {
      const file = this.#platter.get(path);
      return file === undefined ? undefined : Buffer.from(file.content);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#carry(NAME_US, () => {
      const file = this.#platter.get(from);
      if (file === undefined) throw failure('ENOENT', from);
      this.#platter.link(from, null);
      this.#platter.link(to, file);
    });
  }

  async replaceFile(path: string, content: Uint8Array): Promise<void> {
    const file = PlatterFile.of(content);
    await this.#carry(WRITE_US, () => this.#platter.link(path, file));
    await this.syncDirectory(path.slice(0, path.lastIndexOf('/')));
  }

  space(_path: string): Promise<DiskSpace> {
    return this.#carry(NAME_US, () => {
      const { capacityBytes, usedBytes } = this.#platter;
      return { freeBytes: Math.max(0, capacityBytes - usedBytes), totalBytes: capacityBytes, diskId: this.#diskId };
    });
  }

  bootId(): Promise<string> {
    return this.#carry(NAME_US, () => `boot ${this.#platter.boots}`);
  }
}

class SimulatedFile implements DiskFile {
  #isOpen = true;

  readonly #path: string;
  readonly #file: PlatterFile;
  readonly #platter: Platter;
  readonly #carry: Carry;
  readonly #troubles: DiskTroubles;

  constructor(path: string, file: PlatterFile, platter: Platter, carry: Carry, troubles: DiskTroubles) {
    this.#path = path;
    this.#file = file;
    this.#platter = platter;
    this.#carry = carry;
    this.#troubles = troubles;
  }

  readNow(target: Uint8Array, position: number): number {
    this.#checkOpen();
    const found = this.#file.content.subarray(position, position + target.length);
    target.set(found);
    return found.length;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    this.#checkOpen();
    return this.#carry(READ_US, () => this.readNow(target, position));
  }

  async directMemory(sizeBytes: number): Promise<Buffer> {
    return Buffer.alloc(sizeBytes);
  }

  readDirect(target: Uint8Array, position: number): Promise<number> {
    return this.read(target, position);
  }

  /** Nothing stays in a cache here. */
  isCached(_position: number): boolean {
    this.#checkOpen();
    return false;
  }

  writeNow(chunks: readonly Uint8Array[], position: number): void {
    this.#checkOpen();
    const data = Buffer.concat(chunks);
    const growth = Math.max(0, position + data.length - this.#file.content.length);
    if (growth > 0 && this.#platter.usedBytes + growth > this.#platter.capacityBytes) {
      // What fits is written, as write(2) does before it says that there is no room.
      const room = Math.max(0, this.#platter.capacityBytes - this.#platter.usedBytes);
      if (room > 0) this.#file.write(data.subarray(0, data.length - growth + room), position);
      throw failure('ENOSPC', this.#path);
    }
    this.#file.write(data, position);
  }

  write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.#checkOpen();
    return this.#carry(WRITE_US, () => this.writeNow(chunks, position));
  }

  async writeThrough(chunks: readonly Uint8Array[], position: number): Promise<void> {
    await this.write(chunks, position);
    await this.sync();
  }

  writeDirect(source: Uint8Array, position: number): Promise<void> {
    if (position % DIRECT_ALIGNMENT_BYTES !== 0 || source.length % DIRECT_ALIGNMENT_BYTES !== 0) {
      throw failure('EINVAL', this.#path);
    }
    return this.write([source], position);
  }

  sync(): Promise<void> {
    this.#checkOpen();
    const { sequence } = this.#file;
    return this.#carry(SYNC_US, () => {
      if (this.#troubles.failSyncs) throw failure('EIO', this.#path);
      this.#file.synced(sequence);
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    this.#checkOpen();
    return this.#carry(NAME_US, () => this.#file.cut(sizeBytes));
  }

  async sizeBytes(): Promise<number> {
    this.#checkOpen();
    return this.#file.content.length;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw failure('EBADF', this.#path);
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
