// What the files must hold: names, open files and bytes in memory, changed by
// the same operations as the real ones. It knows nothing of caches or servers.
import { bytesOf } from './bytes.js';
import type { Mode, Operation, Range } from './operations.js';

/** So many of a file's last operations are told when something is wrong with it. */
const REMEMBERED_OPERATIONS = 15;

/** A file's content, whatever its names are. */
export class ModelFile {
  #bytes: Buffer;
  sizeBytes = 0;
  links = 1;
  /** Changed through a mapping, and not synchronised since: the file system itself may not know yet. */
  hasUnsentPages = false;
  /** The last operations upon it, for people. */
  readonly past: string[] = [];

  constructor(maximumBytes: number) {
    this.#bytes = Buffer.alloc(maximumBytes);
  }

  read({ offset, length }: Range): Buffer {
    return this.#bytes.subarray(Math.min(offset, this.sizeBytes), Math.min(offset + length, this.sizeBytes));
  }

  all(): Buffer {
    return this.read({ offset: 0, length: this.sizeBytes });
  }

  write(offset: number, data: Buffer): void {
    data.copy(this.#bytes, offset);
    this.growTo(offset + data.length);
  }

  zero({ offset, length }: Range): void {
    this.#bytes.fill(0, offset, offset + length);
  }

  growTo(sizeBytes: number): void {
    this.sizeBytes = Math.max(this.sizeBytes, sizeBytes);
  }

  /** Bytes after the end are zeros at all times, so that whatever grows the file shows zeros. */
  resize(sizeBytes: number): void {
    this.#bytes.fill(0, sizeBytes);
    this.sizeBytes = sizeBytes;
  }

  remember(text: string): void {
    this.past.push(text);
    if (this.past.length > REMEMBERED_OPERATIONS) this.past.shift();
  }
}

export interface OpenFile {
  file: ModelFile;
  mode: Mode;
}

export class Model {
  readonly names = new Map<string, ModelFile>();
  readonly handles = new Map<number, OpenFile>();

  constructor(readonly maximumBytes: number) {}

  named(name: string): ModelFile {
    return found(this.names.get(name), name);
  }

  opened(handle: number): OpenFile {
    return found(this.handles.get(handle), `handle ${handle}`);
  }

  /** The files that an operation is about: asked before and after it, since it may open, close, make and remove. */
  concerned(operation: Operation): ModelFile[] {
    const files: (ModelFile | undefined)[] = [];
    if ('handle' in operation) files.push(this.handles.get(operation.handle)?.file);
    if ('target' in operation) files.push(this.handles.get(operation.target)?.file);
    if ('name' in operation) files.push(this.names.get(operation.name));
    if ('to' in operation) files.push(this.names.get(operation.to));
    return [...new Set(files.filter((file) => file !== undefined))];
  }

  /** Carries out an operation; the number goes into the bytes that it writes. */
  apply(number: number, operation: Operation): void {
    switch (operation.kind) {
      case 'write':
      case 'mapped-write': {
        const { file } = this.opened(operation.handle);
        file.write(operation.offset, bytesOf(number, operation.offset, operation.length));
        if (operation.kind === 'mapped-write') file.hasUnsentPages ||= !operation.synced;
        return;
      }
      case 'fsync':
        if (operation.waits) this.opened(operation.handle).file.hasUnsentPages = false;
        return;
      case 'truncate':
        this.opened(operation.handle).file.resize(operation.sizeBytes);
        return;
      case 'truncate-name':
        this.named(operation.name).resize(operation.sizeBytes);
        return;
      case 'fallocate': {
        const { file } = this.opened(operation.handle);
        const { allocation, offset, length } = operation;
        if (allocation !== 'allocate' && allocation !== 'allocate-keep') file.zero(operation);
        if (allocation === 'zero' || allocation === 'allocate') file.growTo(offset + length);
        return;
      }
      case 'copy': {
        const data = Buffer.from(this.opened(operation.handle).file.read(operation));
        this.opened(operation.target).file.write(operation.targetOffset, data);
        return;
      }
      case 'create': {
        const file = new ModelFile(this.maximumBytes);
        this.names.set(operation.name, file);
        this.handles.set(operation.handle, { file, mode: 'plain' });
        return;
      }
      case 'open': {
        const file = this.named(operation.name);
        if (operation.mode === 'cut') file.resize(0);
        this.handles.set(operation.handle, { file, mode: operation.mode });
        return;
      }
      case 'close':
        this.handles.delete(operation.handle);
        return;
      case 'rename':
        this.#rename(operation.name, operation.to);
        return;
      case 'exchange': {
        const [one, other] = [this.named(operation.name), this.named(operation.to)];
        this.names.set(operation.name, other).set(operation.to, one);
        return;
      }
      case 'link': {
        const file = this.named(operation.name);
        file.links++;
        this.names.set(operation.to, file);
        return;
      }
      case 'unlink':
        this.#unlink(operation.name);
        return;
      case 'read':
      case 'mapped-read':
      case 'seek':
        return;
    }
  }

  /** Two names of one file: rename(2) does nothing. */
  #rename(name: string, to: string): void {
    const file = this.named(name);
    if (this.names.get(to) === file) return;
    if (this.names.has(to)) this.#unlink(to);
    this.names.delete(name);
    this.names.set(to, file);
  }

  #unlink(name: string): void {
    this.named(name).links--;
    this.names.delete(name);
  }
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the model has no ${what}`);
  return value;
}
