// A disk in memory that can lose its power: what was not synced is then gone,
// or there in part. It can be stopped before its n-th change, be full, and
// fail; and tests may spoil its files behind the server's back.
import { dirname } from 'node:path';
import {
  DIRECT_ALIGNMENT_BYTES,
  type Disk,
  type DiskFile,
  type DiskSpace,
  type OpenMode,
} from '../../src/runtime/disk.js';
import { end, type Inode, type Loss, settle, withoutDropped } from './memory-inode.js';

export type { Loss } from './memory-inode.js';

const CACHE_PAGE_BYTES = 4096;

/** A change that came after the power went. */
export class PowerLostError extends Error {
  override readonly name = 'PowerLostError';
}

export class MemoryDisk implements Disk {
  capacityBytes = 2 ** 40;
  /** Changes (writes, syncs, creations …) until the power goes; none of them happens from then on. */
  changesLeft = Number.POSITIVE_INFINITY;
  /** Whether the write that the power goes at is done by half. */
  tearsLastWrite = false;
  /** Changes that happened. */
  changes = 0;
  failSync: Error | null = null;
  failDirectorySync: Error | null = null;
  failWrite: Error | null = null;
  failRead: Error | null = null;
  failDirectMemory: Error | null = null;
  failDirectRead: Error | null = null;
  failDirectWrite: Error | null = null;
  reads = 0;
  /** Reads past the cache. */
  directReads: { position: number; sizeBytes: number }[] = [];
  directWrites: { position: number; sizeBytes: number }[] = [];
  /** They wait for this. */
  directReadsGo: Promise<void> = Promise.resolve();
  /** How often somebody asked what is in the cache. */
  probes = 0;
  /** How often memory was taken for direct reads. */
  directMemories = 0;
  /** Bytes that reads through the cache did not find there. */
  missedBytes = 0;
  syncs = 0;
  #boot = 1;
  #life = 1;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    let inode = this.#names.get(path);
    if (inode === undefined) {
      if (mode !== 'create') throw systemError('ENOENT', path);
      this.#change();
      inode = { content: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [], dropped: [] };
      this.#names.set(path, inode);
    }
    return new MemoryFile(this, inode, this.#life);
  }

  async list(directory: string): Promise<string[]> {
    const names = new Set<string>();
    for (const path of this.#names.keys()) {
      if (path.startsWith(`${directory}/`)) names.add(path.slice(directory.length + 1).split('/')[0] ?? '');
    }
    return [...names];
  }

  async makeDirectory(): Promise<void> {}

  async remove(path: string): Promise<void> {
    for (const name of [...this.#names.keys()]) {
      if (name !== path && !name.startsWith(`${path}/`)) continue;
      this.#change();
      this.#names.delete(name);
    }
  }

  async syncDirectory(path: string): Promise<void> {
    this.#change();
    if (this.failDirectorySync !== null) throw this.failDirectorySync;
    for (const name of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      if (dirname(name) !== path) continue;
      const inode = this.#names.get(name);
      if (inode === undefined) this.#durableNames.delete(name);
      else this.#durableNames.set(name, inode);
    }
  }

  async readFile(path: string): Promise<Uint8Array | undefined> {
    return this.#names.get(path)?.content;
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.#names.get(from);
    if (inode === undefined) throw Object.assign(new Error(`ENOENT: ${from}`), { code: 'ENOENT' });
    this.#change();
    this.#names.delete(from);
    this.#names.set(to, inode);
  }

  async replaceFile(path: string, content: Uint8Array): Promise<void> {
    this.#change();
    const bytes = Buffer.from(content);
    const inode = { content: bytes, durable: bytes, unsynced: [], dropped: [] };
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  async space(): Promise<DiskSpace> {
    return { freeBytes: this.freeBytes, totalBytes: this.capacityBytes, diskId: 'memory' };
  }

  async bootId(): Promise<string> {
    return `boot ${this.#boot}`;
  }

  /** Nothing is in the system's cache any more. */
  dropCaches(): void {
    for (const inode of this.#names.values()) inode.cached = new Set();
  }

  /** The disk as one process sees it; after the process has died, its calls fail and change nothing. */
  mount(): Disk {
    const life = this.#life;
    const whileAlive = <T>(action: () => Promise<T>): Promise<T> =>
      life === this.#life ? action() : Promise.reject(new PowerLostError('the process is gone'));
    return {
      open: (path, mode) => whileAlive(() => this.open(path, mode)),
      list: (directory) => whileAlive(() => this.list(directory)),
      makeDirectory: () => whileAlive(() => this.makeDirectory()),
      remove: (path) => whileAlive(() => this.remove(path)),
      syncDirectory: (path) => whileAlive(() => this.syncDirectory(path)),
      readFile: (path) => whileAlive(() => this.readFile(path)),
      rename: (from, to) => whileAlive(() => this.rename(from, to)),
      replaceFile: (path, content) => whileAlive(() => this.replaceFile(path, content)),
      space: () => whileAlive(() => this.space()),
      bootId: () => whileAlive(() => this.bootId()),
    };
  }

  /** The process dies: handles end, all that was written stays. */
  killProcess(): void {
    this.#life++;
    this.changesLeft = Number.POSITIVE_INFINITY;
  }

  /** The machine dies and is started again. */
  cutPower(loss: Loss): void {
    this.killProcess();
    this.#boot++;
    for (const inode of new Set([...this.#names.values(), ...this.#durableNames.values()])) settle(inode, loss);
    this.#names = new Map(this.#durableNames);
  }

  /** The bytes of a file, to look at or to spoil; a changed one is durable at once. */
  content(path: string): Buffer {
    const inode = this.#names.get(path);
    if (inode === undefined) throw systemError('ENOENT', path);
    inode.durable = inode.content;
    inode.unsynced = [];
    inode.dropped = [];
    return inode.content;
  }

  /** Replaces a file's bytes behind everybody's back. */
  spoil(path: string, content: Buffer): void {
    this.content(path);
    const inode = this.#names.get(path);
    if (inode !== undefined) Object.assign(inode, { content, durable: content });
  }

  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const { content } of this.#names.values()) bytes += content.length;
    return bytes;
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes);
  }

  get life(): number {
    return this.#life;
  }

  /** Counts a change, or refuses it for want of power. */
  change(): void {
    this.#change();
  }

  #change(): void {
    if (this.changesLeft <= 0) throw new PowerLostError('the power is gone');
    this.changesLeft--;
    this.changes++;
  }
}

class MemoryFile implements DiskFile {
  #isClosed = false;

  readonly #disk: MemoryDisk;
  readonly #inode: Inode;
  readonly #life: number;

  constructor(disk: MemoryDisk, inode: Inode, life: number) {
    this.#disk = disk;
    this.#inode = inode;
    this.#life = life;
  }

  readNow(target: Uint8Array, position: number): number {
    this.#checkOpen();
    this.#disk.reads++;
    if (this.#disk.failRead !== null) throw this.#disk.failRead;
    const part = this.#inode.content.subarray(position, position + target.length);
    target.set(part);
    this.#disk.missedBytes += this.#bringIn(position, part.length);
    return part.length;
  }

  async directMemory(sizeBytes: number): Promise<Buffer> {
    this.#checkOpen();
    if (this.#disk.failDirectMemory !== null) throw this.#disk.failDirectMemory;
    this.#disk.directMemories++;
    return Buffer.alloc(sizeBytes);
  }

  async readDirect(target: Uint8Array, position: number): Promise<number> {
    this.#checkOpen();
    checkAligned(target, position);
    const { failDirectRead } = this.#disk;
    if (failDirectRead !== null) throw failDirectRead;
    this.#disk.directReads.push({ position, sizeBytes: target.length });
    // Others get their turn, as on a real disk.
    await new Promise((resolve) => setImmediate(resolve));
    await this.#disk.directReadsGo;
    this.#checkOpen();
    const part = withoutDropped(this.#inode.content, this.#inode).subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    return this.readNow(target, position);
  }

  isCached(position: number): boolean {
    this.#checkOpen();
    this.#disk.probes++;
    return this.#bringIn(position, 1) === 0;
  }

  writeNow(chunks: readonly Uint8Array[], position: number): void {
    this.#checkOpen();
    const bytes = Buffer.concat(chunks);
    if (this.#disk.tearsLastWrite && this.#disk.changesLeft === 0) {
      this.#disk.tearsLastWrite = false;
      this.#put(bytes.subarray(0, Math.floor(bytes.length / 2)), position);
    }
    this.#disk.change();
    if (this.#disk.failWrite !== null) throw this.#disk.failWrite;
    const grownBytes = Math.max(0, position + bytes.length - this.#inode.content.length);
    const fittingBytes = bytes.length - Math.max(0, grownBytes - this.#disk.freeBytes);
    this.#put(bytes.subarray(0, fittingBytes), position);
    if (fittingBytes < bytes.length) throw systemError('ENOSPC', 'write');
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.writeNow(chunks, position);
  }

  async writeThrough(chunks: readonly Uint8Array[], position: number): Promise<void> {
    await this.write(chunks, position);
    await this.sync();
  }

  async writeDirect(source: Uint8Array, position: number): Promise<void> {
    this.#checkOpen();
    checkAligned(source, position);
    const { failDirectWrite } = this.#disk;
    if (failDirectWrite !== null) throw failDirectWrite;
    // Others get their turn, as on a real disk; the memory belongs to the write until it is done.
    const bytes = Buffer.from(source);
    await new Promise((resolve) => setImmediate(resolve));
    this.#checkOpen();
    this.writeNow([bytes], position);
    this.#disk.directWrites.push({ position, sizeBytes: source.length });
  }

  async sync(): Promise<void> {
    this.#checkOpen();
    this.#disk.change();
    // Others get their turn, as on a real disk.
    const inode = this.#inode;
    const { content } = inode;
    const covered = inode.unsynced.length;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#life !== this.#disk.life) throw new PowerLostError('the process is gone');
    this.#disk.syncs++;
    const written = inode.unsynced.splice(0, covered);
    if (this.#disk.failSync !== null) {
      // As Linux does: what could not be written counts as clean.
      inode.dropped.push(...written);
      throw this.#disk.failSync;
    }
    inode.durable = withoutDropped(content, inode);
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#checkOpen();
    this.#disk.change();
    const inode = this.#inode;
    const cut = Buffer.alloc(sizeBytes);
    inode.content.copy(cut);
    inode.content = cut;
    inode.dropped = inode.dropped.filter(({ position }) => position < sizeBytes);
  }

  async sizeBytes(): Promise<number> {
    this.#checkOpen();
    return this.#inode.content.length;
  }

  async close(): Promise<void> {
    this.#checkOpen();
    this.#isClosed = true;
  }

  #put(bytes: Buffer, position: number): void {
    const inode = this.#inode;
    this.#bringIn(position, bytes.length);
    // A new buffer each time, since a sync in progress holds on to the old one.
    const content = Buffer.alloc(Math.max(inode.content.length, position + bytes.length));
    inode.content.copy(content);
    bytes.copy(content, position);
    inode.content = content;
    inode.unsynced.push({ position, bytes });
    // Written anew, it is dirty again.
    inode.dropped = inode.dropped.filter((old) => old.position >= position + bytes.length || end(old) <= position);
  }

  /** Bytes of the pages that were not in the cache, and are now. */
  #bringIn(position: number, sizeBytes: number): number {
    const { cached } = this.#inode;
    if (cached === undefined) return 0;
    const before = cached.size;
    const end = Math.ceil((position + sizeBytes) / CACHE_PAGE_BYTES);
    for (let page = Math.floor(position / CACHE_PAGE_BYTES); page < end; page++) cached.add(page);
    return (cached.size - before) * CACHE_PAGE_BYTES;
  }

  #checkOpen(): void {
    if (this.#life !== this.#disk.life) throw new PowerLostError('the process is gone');
    if (this.#isClosed) throw systemError('EBADF', 'closed');
  }
}

function checkAligned({ length }: Uint8Array, position: number): void {
  if (position % DIRECT_ALIGNMENT_BYTES !== 0 || length % DIRECT_ALIGNMENT_BYTES !== 0) {
    throw systemError('EINVAL', `${length} bytes at ${position}`);
  }
}

export function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
