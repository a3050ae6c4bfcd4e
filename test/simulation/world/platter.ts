// What a simulated disk holds, and what of it would be there after a power
// cut: writes that were not synced are lost, kept or torn at sectors, names
// that were not synced are lost from some point on.
import { dirname } from 'node:path';
import type { SeededRandom } from './seeded-random.js';

const SECTOR_BYTES = 512;
/** A disk that nothing fills by itself. */
export const ROOMY_BYTES = 1024 * 1024 * 1024;

/** Bytes that grow; what was never written reads as zeros. */
class Bytes {
  #buffer: Buffer;

  constructor(
    buffer: Buffer = Buffer.alloc(0),
    public length: number = buffer.length,
  ) {
    this.#buffer = buffer;
  }

  get view(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  write(data: Uint8Array, position: number): void {
    const end = position + data.length;
    if (end > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(end, this.#buffer.length * 2, 4096));
      this.view.copy(larger);
      this.#buffer = larger;
    }
    this.#buffer.set(data, position);
    this.length = Math.max(this.length, end);
  }

  cut(length: number): void {
    if (length < this.length) this.#buffer.fill(0, length, this.length);
    else this.write(new Uint8Array(length - this.length), this.length);
    this.length = length;
  }

  copy(): Bytes {
    return new Bytes(Buffer.from(this.view));
  }
}

type Change = { sequence: number } & (
  | { kind: 'write'; position: number; data: Buffer }
  | { kind: 'cut'; length: number }
);

export class PlatterFile {
  #current = new Bytes();
  #durable = new Bytes();
  #changes: Change[] = [];
  #sequence = 0;

  static of(content: Uint8Array): PlatterFile {
    const file = new PlatterFile();
    file.#current.write(content, 0);
    file.#durable.write(content, 0);
    return file;
  }

  get content(): Buffer {
    return this.#current.view;
  }

  /** Stands for all changes made until now; see `synced`. */
  get sequence(): number {
    return this.#sequence;
  }

  write(data: Buffer, position: number): void {
    this.#current.write(data, position);
    this.#changes.push({ sequence: ++this.#sequence, kind: 'write', position, data });
  }

  cut(length: number): void {
    this.#current.cut(length);
    this.#changes.push({ sequence: ++this.#sequence, kind: 'cut', length });
  }

  /** All changes up to `sequence` are on stable storage. */
  synced(sequence: number): void {
    let count = 0;
    for (const change of this.#changes) {
      if (change.sequence > sequence) break;
      this.#keep(change, () => true);
      count++;
    }
    this.#changes.splice(0, count);
  }

  /** The power went: of each change that was not synced, any part may have been kept. */
  crash(random: SeededRandom): void {
    for (const change of this.#changes) {
      const share = random.pick([0, 0.5, 1]);
      this.#keep(change, () => random.chance(share));
    }
    this.#changes = [];
    this.#current = this.#durable.copy();
  }

  /** Flips one bit on the disk itself, in a range of bytes; false when the file is empty. */
  rot(random: SeededRandom, start = 0, end = this.#current.length): boolean {
    if (end === start) return false;
    const position = random.between(start, end - 1);
    const flipped = (this.#current.view[position] ?? 0) ^ (1 << random.between(0, 7));
    this.#current.write(Uint8Array.of(flipped), position);
    if (position < this.#durable.length) this.#durable.write(Uint8Array.of(flipped), position);
    return true;
  }

  #keep(change: Change, isKept: () => boolean): void {
    if (change.kind === 'cut') {
      if (isKept()) this.#durable.cut(change.length);
      return;
    }
    const { data, position } = change;
    for (let at = 0; at < data.length; ) {
      const next = Math.min(data.length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES));
      if (isKept()) this.#durable.write(data.subarray(at, next), position + at);
      at = next;
    }
  }
}

/** A name that came or went and may be forgotten. */
interface NameChange {
  sequence: number;
  path: string;
  file: PlatterFile | null;
}

export class Platter {
  #files = new Map<string, PlatterFile>();
  readonly #durable = new Map<string, PlatterFile>();
  readonly #changes = new Map<string, NameChange[]>();
  #sequence = 0;
  /** Grows at every power cut. */
  boots = 1;
  /** Room for all files together. */
  capacityBytes = ROOMY_BYTES;

  get usedBytes(): number {
    let bytes = 0;
    for (const file of this.#files.values()) bytes += file.content.length;
    return bytes;
  }

  /** All files with their paths, in the order in which they were made. */
  files(): [string, PlatterFile][] {
    return [...this.#files];
  }

  get(path: string): PlatterFile | undefined {
    return this.#files.get(path);
  }

  /** Puts a file under a name, or takes the name away; forgotten at a power cut unless `nameSynced` is called before. */
  link(path: string, file: PlatterFile | null): void {
    if (file === null) this.#files.delete(path);
    else this.#files.set(path, file);
    const changes = this.#changes.get(dirname(path)) ?? [];
    changes.push({ sequence: ++this.#sequence, path, file });
    this.#changes.set(dirname(path), changes);
  }

  /** Stands for all name changes made until now; see `namesSynced`. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The name changes in the folder up to `sequence` are on stable storage. */
  namesSynced(directory: string, sequence: number): void {
    const changes = this.#changes.get(directory) ?? [];
    const kept = changes.filter((change) => change.sequence > sequence);
    this.#changes.set(directory, kept);
    for (const { path, file } of changes.slice(0, changes.length - kept.length)) {
      if (file === null) this.#durable.delete(path);
      else this.#durable.set(path, file);
    }
  }

  /** The power went. */
  crash(random: SeededRandom): void {
    for (const [directory, changes] of this.#changes) {
      // Names reach the disk in their order, so what is forgotten is a tail.
      const kept = random.between(0, changes.length);
      this.namesSynced(directory, changes[kept - 1]?.sequence ?? 0);
    }
    this.#changes.clear();
    this.#files = new Map(this.#durable);
    for (const file of this.#files.values()) file.crash(random);
    this.boots++;
  }

  /** A new disk in its place. */
  wipe(): void {
    this.#files.clear();
    this.#durable.clear();
    this.#changes.clear();
  }

  /** What a process would find now, on a platter of its own. */
  copy(): Platter {
    const copy = new Platter();
    copy.boots = this.boots;
    for (const [path, file] of this.#files) copy.#files.set(path, PlatterFile.of(file.content));
    return copy;
  }
}
