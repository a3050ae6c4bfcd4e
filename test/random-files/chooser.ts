// Chooses the next operation. It looks at the model and a seeded source of
// randomness alone, so that a seed decides all operations however long each
// of them takes. What it likes are the places where something can go wrong:
// borders of blocks and pages, and the end of the file.
import type { SeededRandom } from '../simulation/world/seeded-random.js';
import type { Model, OpenFile } from './model.js';
import type { Allocation, HandleOperation, Mode, NameOperation, Operation, Range } from './operations.js';

const PAGE_BYTES = 4096;
/** Files open at a time, for each name that there is: several of them have no name any more. */
const HANDLES_PER_NAME = 2;
const MODES: readonly Mode[] = ['plain', 'plain', 'plain', 'append', 'direct', 'cut'];
const ALLOCATIONS: readonly Allocation[] = ['punch', 'punch', 'zero', 'zero-keep', 'allocate', 'allocate-keep'];

/** How often each kind is chosen, in relation to the others. */
const HANDLE_KINDS: Record<HandleOperation['kind'], number> = {
  write: 24,
  read: 22,
  'mapped-write': 10,
  'mapped-read': 8,
  truncate: 8,
  fallocate: 8,
  fsync: 7,
  copy: 5,
  seek: 4,
};
const NAME_KINDS: readonly NameOperation['kind'][] = [
  'open',
  'open',
  'open',
  'close',
  'close',
  'truncate-name',
  'rename',
  'exchange',
  'link',
  'unlink',
];
const NAME_SHARE = 0.12;

export class Chooser {
  readonly #names: readonly string[];
  readonly #kinds = Object.entries(HANDLE_KINDS).flatMap(([kind, weight]) =>
    Array.from({ length: weight }, () => kind as HandleOperation['kind']),
  );
  #lastHandle = 0;

  readonly #random: SeededRandom;
  readonly #model: Model;
  readonly #blockSizeBytes: number;

  constructor(random: SeededRandom, model: Model, files: number, blockSizeBytes: number) {
    this.#random = random;
    this.#model = model;
    this.#blockSizeBytes = blockSizeBytes;
    this.#names = Array.from({ length: files }, (_, index) => `f${index}`);
  }

  next(): Operation {
    const random = this.#random;
    const model = this.#model;
    const missing = this.#names.filter((name) => !model.names.has(name));
    if (missing.length > 0 && (missing.length === this.#names.length || random.chance(0.05))) {
      return this.#room() ?? { kind: 'create', name: random.pick(missing), handle: ++this.#lastHandle };
    }
    if (model.handles.size === 0) return this.#open();
    if (random.chance(NAME_SHARE)) return this.#onNames();
    return this.#onHandle(random.pick([...model.handles.keys()]));
  }

  /** A file is closed when too many are open. */
  #room(): Operation | null {
    const { handles } = this.#model;
    if (handles.size < HANDLES_PER_NAME * this.#names.length) return null;
    return { kind: 'close', handle: this.#random.pick([...handles.keys()]) };
  }

  #open(): Operation {
    const name = this.#random.pick([...this.#model.names.keys()]);
    return this.#room() ?? { kind: 'open', name, handle: ++this.#lastHandle, mode: this.#random.pick(MODES) };
  }

  #onNames(): Operation {
    const random = this.#random;
    const model = this.#model;
    const name = random.pick([...model.names.keys()]);
    const others = this.#names.filter((other) => other !== name);
    const free = others.filter((other) => !model.names.has(other));
    const taken = others.filter((other) => model.names.has(other));
    const kind = random.pick(NAME_KINDS);
    switch (kind) {
      case 'close':
        return { kind, handle: random.pick([...model.handles.keys()]) };
      case 'truncate-name':
        return { kind, name, sizeBytes: this.#size(model.named(name).sizeBytes) };
      case 'rename':
        return others.length === 0 ? this.#open() : { kind, name, to: random.pick(others) };
      case 'exchange':
        return taken.length === 0 ? this.#open() : { kind, name, to: random.pick(taken) };
      case 'link':
        return free.length === 0 ? this.#open() : { kind, name, to: random.pick(free) };
      case 'unlink':
        return { kind, name };
      case 'create':
      case 'open':
        return this.#open();
    }
  }

  #onHandle(handle: number): Operation {
    const random = this.#random;
    const model = this.#model;
    const opened = model.opened(handle);
    const { sizeBytes } = opened.file;
    const kind = random.pick(this.#kinds);
    switch (kind) {
      case 'write':
        return { kind, handle, ...this.#writeRange(opened) };
      case 'read':
        return { kind, handle, uncached: random.chance(0.5), ...this.#readRange(sizeBytes) };
      case 'mapped-read':
        if (!isMappable(opened)) break;
        return { kind, handle, ...this.#within(sizeBytes) };
      case 'mapped-write':
        if (!isMappable(opened)) break;
        return { kind, handle, synced: random.chance(0.3), ...this.#within(sizeBytes) };
      case 'truncate':
        return { kind, handle, sizeBytes: this.#size(sizeBytes) };
      case 'fallocate':
        return { kind, handle, allocation: random.pick(ALLOCATIONS), ...this.#range() };
      case 'fsync':
        return { kind, handle, waits: random.chance(0.6) };
      case 'seek':
        // Linux asks FUSE for holes without sending the pages of mappings before (fuse_lseek in fs/fuse/file.c).
        return opened.file.hasUnsentPages ? { kind: 'fsync', handle, waits: true } : { kind, handle };
      case 'copy': {
        const operation = this.#copy(handle, opened);
        if (operation === null) break;
        return operation;
      }
    }
    return { kind: 'write', handle, ...this.#writeRange(opened) };
  }

  /** Between two files, or between places of one that don't overlap; null where there is nothing to copy. */
  #copy(handle: number, { file }: OpenFile): Operation | null {
    const random = this.#random;
    const model = this.#model;
    // A file that is opened for appending takes no copies.
    const targets = [...model.handles.keys()].filter((candidate) => model.opened(candidate).mode !== 'append');
    if (file.sizeBytes === 0 || targets.length === 0) return null;
    const target = random.pick(targets);
    const { offset, length } = this.#within(file.sizeBytes);
    const targetOffset = this.#place(model.opened(target).file.sizeBytes);
    const fitting = Math.min(length, model.maximumBytes - targetOffset);
    const overlaps =
      model.opened(target).file === file && targetOffset < offset + fitting && offset < targetOffset + fitting;
    return overlaps ? null : { kind: 'copy', handle, offset, target, targetOffset, length: fitting };
  }

  #writeRange({ file, mode }: OpenFile): Range {
    const random = this.#random;
    const model = this.#model;
    const offset = mode === 'append' || random.chance(0.15) ? file.sizeBytes : this.#place(file.sizeBytes);
    const length = Math.min(this.#length(), model.maximumBytes - offset);
    // A file that is full is written anew from some place; one that is opened for appending gets nothing.
    if (length > 0 || mode === 'append') return { offset, length };
    return this.#range();
  }

  #readRange(sizeBytes: number): Range {
    return this.#random.chance(0.2)
      ? { offset: 0, length: this.#model.maximumBytes }
      : { offset: this.#place(sizeBytes), length: this.#length() };
  }

  /** A range of at least a byte that a file of this size has. */
  #within(sizeBytes: number): Range {
    const offset = Math.min(this.#place(sizeBytes), sizeBytes - 1);
    return { offset, length: Math.min(this.#length(), sizeBytes - offset) };
  }

  /** Any range that a file may have. */
  #range(): Range {
    const { maximumBytes } = this.#model;
    const offset = this.#place(maximumBytes);
    return { offset, length: Math.min(this.#length(), maximumBytes - offset) };
  }

  #size(sizeBytes: number): number {
    const random = this.#random;
    const model = this.#model;
    if (random.chance(0.15)) return 0;
    return random.chance(0.5) ? this.#place(sizeBytes) : this.#place(model.maximumBytes);
  }

  /** Some offset, mostly within the first `sizeBytes`, and always before the largest end. */
  #place(sizeBytes: number): number {
    const random = this.#random;
    const model = this.#model;
    const blockSizeBytes = this.#blockSizeBytes;
    const most = random.chance(0.1) ? model.maximumBytes - 1 : Math.min(sizeBytes, model.maximumBytes - 1);
    const place = random.between(0, most);
    switch (random.pick(['any', 'any', 'page', 'block', 'around'] as const)) {
      case 'any':
        return place;
      case 'page':
        return place - (place % PAGE_BYTES);
      case 'block':
        return place - (place % blockSizeBytes);
      case 'around': {
        const near = place - (place % blockSizeBytes) + random.between(-3, 3);
        return Math.min(Math.max(near, 0), model.maximumBytes - 1);
      }
    }
  }

  #length(): number {
    const random = this.#random;
    const blockSizeBytes = this.#blockSizeBytes;
    switch (random.pick(['bytes', 'pages', 'page', 'blocks', 'block'] as const)) {
      case 'bytes':
        return random.between(1, 300);
      case 'pages':
        return random.between(1, 4 * PAGE_BYTES);
      case 'page':
        return PAGE_BYTES * random.between(1, 3);
      case 'blocks':
        return random.between(1, 2 * blockSizeBytes);
      case 'block':
        return blockSizeBytes;
    }
  }
}

/** An empty file can't be mapped, nor can, before Linux 6.6, one that FUSE has opened for direct I/O. */
function isMappable({ file, mode }: OpenFile): boolean {
  return file.sizeBytes > 0 && mode !== 'direct';
}
