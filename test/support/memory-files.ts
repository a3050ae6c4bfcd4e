// A FileService in memory, simple enough to be believed, to test what stands
// above that interface without servers. Faults can be switched on.
import { ACCESS_ACL, AccessList, modeWith } from '../../src/namespace/acl.js';
import { FileError, type FileErrorCode } from '../../src/protocol/errors.js';
import type {
  AttributeChanges,
  Attributes,
  Caller,
  Changed,
  DirectoryEntry,
  FileKind,
  FileName,
  FileService,
  RenameMode,
} from '../../src/protocol/services/files.js';
import { ROOT_INODE } from '../../src/protocol/services/files.js';
import type { CallOptions } from '../../src/protocol/services/service.js';
import type { Pieces } from '../../src/protocol/values/pieces.js';
import type { Verifier } from '../../src/protocol/values/verifier.js';
import { Lender } from './lender.js';
import { MemoryNodes } from './memory-nodes.js';

export interface MemoryFaults {
  /** Every write (and change of size) fails with this. */
  writes?: FileErrorCode;
  /** Opening or creating for writing fails with this. */
  openForWriting?: FileErrorCode;
  /** Reads fail with this. */
  reads?: FileErrorCode;
  /** The last byte that is read is another one. */
  lies?: boolean;
  /** Calls of these methods do not answer until the fault is taken away. */
  hang?: (keyof FileService)[];
}

const TOTAL_BYTES = 64 * 2 ** 30;

type Reply<K extends keyof FileService> = ReturnType<FileService[K]>;

export class MemoryFiles extends MemoryNodes implements FileService {
  faults: MemoryFaults = {};
  /** Of what reads answer. */
  readonly lender = new Lender();
  /** Calls since the start, by method: tests look at how often something was asked. */
  readonly calls: Partial<Record<keyof FileService, number>> = {};
  /** What an fsync answers. */
  verifier: Verifier = { mediator: 'mediator/0', history: 'history' };

  async lookup({ parent, name }: { parent: number; name: FileName }): Promise<Attributes> {
    await this.#enter('lookup');
    return { ...this.child(parent, name).attributes };
  }

  async getattr({ inode }: { inode: number }): Promise<Attributes> {
    await this.#enter('getattr');
    return { ...this.node(inode).attributes };
  }

  async setattr({ inode, changes }: { inode: number; changes: AttributeChanges; caller: Caller }): Promise<Attributes> {
    await this.#enter('setattr');
    const node = this.node(inode);
    const { sizeBytes, accessed, ...others } = changes;
    if (accessed === true) {
      node.attributes.accessTimeNs = this.nowNs();
      return { ...node.attributes };
    }
    if (sizeBytes !== undefined) {
      if (node.attributes.kind === 'directory') throw new FileError('EISDIR', 'a directory has no size to set');
      this.#fault('writes');
      node.content.resize(sizeBytes);
      node.attributes.modifyTimeNs = this.nowNs();
    }
    Object.assign(node.attributes, others);
    const list = node.extended.get(ACCESS_ACL);
    if (others.mode !== undefined && list !== undefined) {
      node.extended.set(ACCESS_ACL, AccessList.parse(list).withBits(others.mode).encode());
    }
    return this.changed(node);
  }

  async create(request: {
    parent: number;
    name: FileName;
    mode: number;
    umask?: number;
    exclusive: boolean;
    forWriting: boolean;
    caller: Caller;
  }): Promise<{ attributes: Attributes; created: boolean } & Changed> {
    await this.#enter('create');
    if (request.forWriting) this.#fault('openForWriting');
    const { parent, name } = request;
    const there = this.directory(parent).entries.get(name);
    if (there === undefined) {
      const attributes = this.add(parent, name, 'file', request.mode, request.caller, request.umask);
      return { attributes, created: true, changed: this.#changesOf(parent, attributes.inode) };
    }
    if (request.exclusive) throw new FileError('EEXIST', 'the name is there');
    return { attributes: { ...this.node(there.inode).attributes }, created: false, changed: [] };
  }

  async createUnnamed(request: {
    parent: number;
    mode: number;
    umask?: number;
    forWriting: boolean;
    caller: Caller;
  }): Promise<{ attributes: Attributes }> {
    await this.#enter('createUnnamed');
    if (request.forWriting) this.#fault('openForWriting');
    return { attributes: this.addUnnamed(request.parent, request.mode, request.caller, request.umask) };
  }

  async mkdir(request: {
    parent: number;
    name: FileName;
    mode: number;
    umask?: number;
    caller: Caller;
  }): Reply<'mkdir'> {
    await this.#enter('mkdir');
    const { parent, name, mode, caller, umask } = request;
    const attributes = this.add(parent, name, 'directory', mode, caller, umask);
    this.node(attributes.inode).attributes.links = 2;
    this.node(request.parent).attributes.links += 1;
    const { inode } = attributes;
    return { attributes: { ...this.node(inode).attributes }, changed: this.#changesOf(request.parent, inode) };
  }

  async mknod(request: {
    parent: number;
    name: FileName;
    kind: FileKind;
    mode: number;
    umask?: number;
    device: number;
    caller: Caller;
  }): Reply<'mknod'> {
    await this.#enter('mknod');
    const { parent, name, kind, mode, caller, umask } = request;
    const { inode } = this.add(parent, name, kind, mode, caller, umask);
    this.node(inode).attributes.device = request.device;
    return { attributes: { ...this.node(inode).attributes }, changed: this.#changesOf(request.parent, inode) };
  }

  async symlink(request: { parent: number; name: FileName; target: string; caller: Caller }): Reply<'symlink'> {
    await this.#enter('symlink');
    const { inode } = this.add(request.parent, request.name, 'symlink', 0o777, request.caller);
    const node = this.node(inode);
    node.target = request.target;
    node.attributes.sizeBytes = request.target.length;
    return { attributes: { ...node.attributes }, changed: this.#changesOf(request.parent, inode) };
  }

  async readlink({ inode }: { inode: number }): Promise<{ target: string }> {
    await this.#enter('readlink');
    const node = this.node(inode);
    if (node.attributes.kind !== 'symlink') throw new FileError('EINVAL', 'no symbolic link');
    return { target: node.target };
  }

  async link({ inode, parent, name }: { inode: number; parent: number; name: FileName }): Reply<'link'> {
    await this.#enter('link');
    const node = this.node(inode);
    if (node.attributes.kind === 'directory') throw new FileError('EPERM', 'directories have one name');
    this.enterName(parent, name, inode);
    node.attributes.links += 1;
    return { attributes: this.changed(node), changed: this.#changesOf(parent, inode) };
  }

  async unlink({ parent, name, held }: { parent: number; name: FileName; held: number[] }): Reply<'unlink'> {
    await this.#enter('unlink');
    const node = this.child(parent, name);
    if (node.attributes.kind === 'directory') throw new FileError('EISDIR', 'a directory');
    this.dropName(parent, name, held);
    const { inode, links } = node.attributes;
    return { inode, links, changed: this.#changesOf(parent, inode) };
  }

  async rmdir({ parent, name }: { parent: number; name: FileName }): Reply<'rmdir'> {
    await this.#enter('rmdir');
    const node = this.child(parent, name);
    if (node.attributes.kind !== 'directory') throw new FileError('ENOTDIR', 'no directory');
    if (node.entries.size > 0) throw new FileError('ENOTEMPTY', 'not empty');
    this.dropName(parent, name, []);
    return { inode: node.attributes.inode, changed: this.#changesOf(parent) };
  }

  async rename(request: {
    parent: number;
    name: FileName;
    newParent: number;
    newName: FileName;
    mode: RenameMode;
    held: number[];
    whiteout?: Caller;
  }): Reply<'rename'> {
    await this.#enter('rename');
    const { parent, name, newParent, newName, mode, held, whiteout } = request;
    const moved = this.child(parent, name);
    const target = this.directory(newParent).entries.get(newName);
    for (let at = newParent; at !== ROOT_INODE; at = this.node(at).parent) {
      if (at === moved.attributes.inode) throw new FileError('EINVAL', 'a directory cannot go into itself');
    }
    if (mode === 'exchange') {
      if (target === undefined) throw new FileError('ENOENT', 'nothing to exchange with');
      this.place(newParent, newName, moved);
      this.place(parent, name, this.node(target.inode));
      return { changed: this.#changesOf(parent, newParent, moved.attributes.inode, target.inode) };
    }
    if (target === undefined) {
      this.removeName(parent, name);
      this.place(newParent, newName, moved);
      const changed = [parent, newParent, moved.attributes.inode];
      if (whiteout !== undefined) changed.push(this.add(parent, name, 'character', 0, whiteout).inode);
      return { changed: this.#changesOf(...changed) };
    }
    if (mode === 'no-replace') throw new FileError('EEXIST', 'the name is there');
    if (target.inode === moved.attributes.inode) return { changed: [] };
    const replaced = this.node(target.inode);
    const [from, to] = [moved.attributes.kind === 'directory', replaced.attributes.kind === 'directory'];
    if (from && !to) throw new FileError('ENOTDIR', 'a directory cannot replace a file');
    if (!from && to) throw new FileError('EISDIR', 'a file cannot replace a directory');
    if (replaced.entries.size > 0) throw new FileError('ENOTEMPTY', 'not empty');
    this.dropName(newParent, newName, held);
    this.removeName(parent, name);
    this.place(newParent, newName, moved);
    const changed = [parent, newParent, moved.attributes.inode, target.inode];
    if (whiteout !== undefined) changed.push(this.add(parent, name, 'character', 0, whiteout).inode);
    return { replaced: target.inode, changed: this.#changesOf(...changed) };
  }

  /** Of those that are still there. */
  #changesOf(...inodes: number[]): Attributes[] {
    return inodes.filter((inode) => this.nodes.has(inode)).map((inode) => ({ ...this.node(inode).attributes }));
  }

  async open({ inode, forWriting }: { inode: number; forWriting: boolean }): Promise<Attributes> {
    await this.#enter('open');
    const node = this.node(inode);
    if (forWriting) this.#fault('openForWriting');
    return { ...node.attributes };
  }

  async release({ inode }: { inode: number }): Promise<Record<string, never>> {
    await this.#enter('release');
    if (this.nodes.get(inode)?.attributes.links === 0) this.nodes.delete(inode);
    return {};
  }

  async read(
    { inode, offset, length }: { inode: number; offset: number; length: number },
    options?: CallOptions,
  ): Promise<{ pieces: Pieces }> {
    await this.#enter('read', options?.signal);
    this.#fault('reads');
    const data = this.node(inode).content.read(offset, length);
    if (this.faults.lies === true) data[data.length - 1] = (data[data.length - 1] ?? 0) ^ 1;
    // In two pieces, as of two blocks.
    const middle = Math.floor(data.length / 2);
    return this.lender.lend({ pieces: [data.subarray(0, middle), data.subarray(middle)] }, [data]);
  }

  async write(request: {
    inode: number;
    extents: { offset: number; data: Uint8Array }[];
    truncateTo?: number;
    appendedFrom?: number;
    modifyTimeNs: bigint | null;
  }): Promise<Attributes> {
    await this.#enter('write');
    this.#fault('writes');
    const node = this.node(request.inode);
    if (request.truncateTo !== undefined) node.content.resize(request.truncateTo);
    const { appendedFrom = Number.POSITIVE_INFINITY } = request;
    // Also to the front, where others have cut the file.
    const moved = request.appendedFrom === undefined ? 0 : node.content.sizeBytes - appendedFrom;
    for (const { offset, data } of request.extents) {
      node.content.write(offset < appendedFrom ? offset : offset + moved, data);
    }
    return this.written(node, request.modifyTimeNs);
  }

  async fallocate(request: {
    inode: number;
    offset: number;
    length: number;
    zeros: boolean;
    keepsSize: boolean;
    modifyTimeNs: bigint;
  }): Promise<Attributes> {
    await this.#enter('fallocate');
    this.#fault('writes');
    const { content, attributes } = this.node(request.inode);
    const { offset, length, zeros, keepsSize } = request;
    if (zeros) content.punch(offset, length);
    if (!keepsSize && offset + length > content.sizeBytes) content.resize(offset + length);
    return zeros || !keepsSize ? this.written(this.node(request.inode), request.modifyTimeNs) : { ...attributes };
  }

  async seek(request: { inode: number; offset: number; what: 'data' | 'hole' }): Promise<{ offset: number }> {
    await this.#enter('seek');
    const { content } = this.node(request.inode);
    const { offset, what } = request;
    const found = content.edge(offset, what);
    if (offset >= content.sizeBytes || (what === 'data' && found === undefined)) {
      throw new FileError('ENXIO', 'behind the end');
    }
    return { offset: found ?? content.sizeBytes };
  }

  async fsync(): Promise<{ verifier: Verifier }> {
    await this.#enter('fsync');
    return { verifier: this.verifier };
  }

  async readdir(request: { inode: number; cookie: number; limit: number; attributes: boolean }): Promise<{
    entries: DirectoryEntry[];
    done: boolean;
    parent: number;
  }> {
    await this.#enter('readdir');
    const { entries, parent } = this.directory(request.inode);
    const found: DirectoryEntry[] = [];
    for (const [name, { inode, cookie }] of [...entries].sort(([, left], [, right]) => left.cookie - right.cookie)) {
      if (cookie <= request.cookie) continue;
      if (found.length === request.limit) return { entries: found, done: false, parent };
      const { attributes } = this.node(inode);
      const entry = { name, inode, kind: attributes.kind, cookie };
      found.push(request.attributes ? { ...entry, attributes: { ...attributes } } : entry);
    }
    return { entries: found, done: true, parent };
  }

  async statfs() {
    await this.#enter('statfs');
    let used = 0;
    for (const { content } of this.nodes.values()) used += content.allocatedBytes;
    return { blockSizeBytes: 4096, totalBytes: TOTAL_BYTES, freeBytes: TOTAL_BYTES - used, files: this.nodes.size };
  }

  async getxattr({ inode, name }: { inode: number; name: string }): Promise<{ value: Uint8Array }> {
    await this.#enter('getxattr');
    const value = this.node(inode).extended.get(name);
    if (value === undefined) throw new FileError('ENODATA', 'no such attribute');
    return { value };
  }

  async setxattr(request: { inode: number; name: string; value: Uint8Array; mode: 'set' | 'create' | 'replace' }) {
    await this.#enter('setxattr');
    const node = this.node(request.inode);
    const { extended } = node;
    const there = extended.has(request.name);
    if (request.mode === 'create' && there) throw new FileError('EEXIST', 'the attribute is there');
    if (request.mode === 'replace' && !there) throw new FileError('ENODATA', 'no such attribute');
    extended.set(request.name, request.value);
    if (request.name === ACCESS_ACL) {
      const list = AccessList.parse(request.value);
      node.attributes.mode = modeWith(node.attributes.mode, list);
      if (list.isPlain) extended.delete(ACCESS_ACL);
    }
    node.attributes.extendedAttributes = extended.size;
    return { attributes: this.changed(node) };
  }

  async listxattr({ inode }: { inode: number }): Promise<{ names: string[] }> {
    await this.#enter('listxattr');
    return { names: [...this.node(inode).extended.keys()] };
  }

  async removexattr({ inode, name }: { inode: number; name: string }): Promise<{ attributes: Attributes }> {
    await this.#enter('removexattr');
    const node = this.node(inode);
    if (!node.extended.delete(name)) throw new FileError('ENODATA', 'no such attribute');
    node.attributes.extendedAttributes = node.extended.size;
    return { attributes: this.changed(node) };
  }

  async #enter(method: keyof FileService, signal?: AbortSignal): Promise<void> {
    this.calls[method] = (this.calls[method] ?? 0) + 1;
    while (this.faults.hang?.includes(method) === true && signal?.aborted !== true) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (signal?.aborted === true) throw new FileError('EINTR', 'given up');
  }

  #fault(kind: 'writes' | 'openForWriting' | 'reads'): void {
    const code = this.faults[kind];
    if (code !== undefined) throw new FileError(code, 'a fault that the test switched on');
  }
}
