// The namespace written a second time, as plainly as possible: a tree of
// objects and the rules of POSIX, without tables, transactions or speed.
import type { AttributeChanges, FileKind } from '../../../src/protocol/services/files.js';
import type { Commands } from '../../../src/protocol/services/metadata.js';
import { BLOCK_BYTES } from './harness.js';

export interface ModelNode {
  inode: number;
  kind: FileKind;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  modified: bigint;
  changed: bigint;
  children: Map<string, ModelNode>;
  blocks: Map<number, { version: number; length: number }>;
  xattrs: Map<string, string>;
}

/** What goes wrong, by its code. */
export class ModelError extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

function fail(code: string): never {
  throw new ModelError(code);
}

export class Model {
  readonly root = this.#node(1, 'directory', 0o755, 0n, { uid: 0, gid: 0 });
  /** Every inode that can still be reached by number, orphans included. */
  readonly inodes = new Map([[1, this.root]]);
  garbage: number[] = [];
  /** The number of the next inode. */
  next = 2;

  make(parent: number, name: string, kind: FileKind, mode: number, now: bigint): number {
    const directory = this.#directory(parent);
    if (directory.children.has(name)) fail('EEXIST');
    const isShared = (directory.mode & 0o2000) !== 0;
    const owner = { uid: 10, gid: isShared ? directory.gid : 20 };
    const bits = isShared && kind === 'directory' ? mode | 0o2000 : mode;
    const node = this.#node(this.next++, kind, bits, now, owner);
    if (kind === 'symlink') node.size = 'over/there'.length;
    this.inodes.set(node.inode, node);
    this.#put(directory, name, node, now);
    return node.inode;
  }

  link(inode: number, parent: number, name: string, now: bigint): void {
    const node = this.#inode(inode);
    if (node.kind === 'directory') fail('EPERM');
    const directory = this.#directory(parent);
    if (directory.children.has(name)) fail('EEXIST');
    if (this.links(node) === 0) fail('ENOENT');
    this.#put(directory, name, node, now);
    node.changed = now;
  }

  unlink(parent: number, name: string, held: readonly number[], now: bigint): void {
    const directory = this.#directory(parent);
    const node = directory.children.get(name) ?? fail('ENOENT');
    if (node.kind === 'directory') fail('EISDIR');
    this.#take(directory, name, now);
    node.changed = now;
    this.#dropIfNameless(node, held);
  }

  rmdir(parent: number, name: string, now: bigint): void {
    const directory = this.#directory(parent);
    const node = directory.children.get(name) ?? fail('ENOENT');
    if (node.kind !== 'directory') fail('ENOTDIR');
    if (node.children.size > 0) fail('ENOTEMPTY');
    this.#take(directory, name, now);
    this.inodes.delete(node.inode);
  }

  rename(
    [parent, name]: [number, string],
    [newParent, newName]: [number, string],
    { mode, held, whiteout }: Commands['rename']['request'],
    now: bigint,
  ): void {
    if (mode === 'exchange' && whiteout !== undefined) fail('EINVAL');
    const from = this.#directory(parent);
    const to = this.#directory(newParent);
    const node = from.children.get(name) ?? fail('ENOENT');
    const target = to.children.get(newName);
    if (mode === 'exchange' && target === undefined) fail('ENOENT');
    if (mode === 'no-replace' && target !== undefined) fail('EEXIST');
    if (target === node) return;
    if (this.#isWithin(to, node)) fail('EINVAL');
    if (mode === 'exchange' && target !== undefined) {
      if (this.#isWithin(from, target)) fail('EINVAL');
      this.#put(from, name, target, now);
      this.#put(to, newName, node, now);
      target.changed = now;
      node.changed = now;
      return;
    }
    if (target !== undefined) {
      if (node.kind === 'directory' && target.kind !== 'directory') fail('ENOTDIR');
      if (node.kind !== 'directory' && target.kind === 'directory') fail('EISDIR');
      if (target.children.size > 0) fail('ENOTEMPTY');
    }
    this.#take(from, name, now);
    this.#put(to, newName, node, now);
    node.changed = now;
    if (whiteout !== undefined) this.make(parent, name, 'character', 0, now);
    if (target?.kind === 'directory') this.inodes.delete(target.inode);
    else if (target !== undefined) {
      target.changed = now;
      this.#dropIfNameless(target, held);
    }
  }

  setattr(inode: number, changes: Omit<AttributeChanges, 'sizeBytes'>, now: bigint): void {
    const node = this.#inode(inode);
    const isOwner = changes.uid !== undefined || changes.gid !== undefined;
    node.uid = changes.uid ?? node.uid;
    node.gid = changes.gid ?? node.gid;
    if (isOwner && node.kind !== 'directory') {
      node.mode &= ~0o4000;
      if ((node.mode & 0o010) !== 0) node.mode &= ~0o2000;
    }
    node.mode = changes.mode ?? node.mode;
    node.modified = changes.modifyTimeNs ?? node.modified;
    node.changed = now;
  }

  /** Whether it was committed. */
  commit(request: Commands['commit']['request'], now: bigint): boolean {
    const { inode, changes, truncateTo, hole, minimumSizeBytes } = request;
    const node = this.#inode(inode);
    if (node.kind === 'directory') fail('EISDIR');
    if (node.kind !== 'file') fail('EINVAL');
    for (const { index, base } of changes) if ((node.blocks.get(index)?.version ?? 0) !== base) return false;
    if (truncateTo !== null) {
      node.size = truncateTo;
      for (const index of [...node.blocks.keys()]) if (index * BLOCK_BYTES >= truncateTo) this.#forget(node, index);
    }
    for (let index = hole?.first ?? 0; index < (hole?.end ?? 0); index++) this.#forget(node, index);
    for (const { index, next } of changes) {
      this.#forget(node, index);
      if (next !== null) node.blocks.set(index, { version: next.version, length: next.length });
    }
    node.size = Math.max(node.size, minimumSizeBytes);
    node.modified = now;
    node.changed = now;
    return true;
  }

  /** @param revision that the file has */
  trim(request: Commands['trim']['request'], revision: number, now: bigint): void {
    const { inode, truncateTo, hole } = request;
    const node = this.#inode(inode);
    if (node.kind === 'directory') fail('EISDIR');
    if (node.kind !== 'file') fail('EINVAL');
    if (request.revision !== revision) return;
    const before = JSON.stringify([node.size, [...node.blocks]]);
    if (truncateTo !== null) {
      node.size = Math.min(node.size, Math.ceil(truncateTo / BLOCK_BYTES) * BLOCK_BYTES);
      for (const index of [...node.blocks.keys()]) if (index * BLOCK_BYTES >= truncateTo) this.#forget(node, index);
    }
    for (let index = hole?.first ?? 0; index < (hole?.end ?? 0); index++) this.#forget(node, index);
    if (JSON.stringify([node.size, [...node.blocks]]) === before) return;
    node.modified = now;
    node.changed = now;
  }

  setxattr(inode: number, name: string, value: string, mode: 'set' | 'create' | 'replace', now: bigint): void {
    const node = this.#inode(inode);
    if (mode === 'create' && node.xattrs.has(name)) fail('EEXIST');
    if (mode === 'replace' && !node.xattrs.has(name)) fail('ENODATA');
    node.xattrs.set(name, value);
    node.changed = now;
  }

  purge(inode: number): void {
    const node = this.inodes.get(inode);
    if (node === undefined) return;
    if (this.links(node) > 0) fail('EINVAL');
    this.#dropIfNameless(node, []);
  }

  /** Names of a node; for a directory its own, `.` in it and `..` in each subdirectory. */
  links(node: ModelNode): number {
    if (node.kind === 'directory') {
      return 2 + [...node.children.values()].filter((child) => child.kind === 'directory').length;
    }
    let links = 0;
    for (const one of this.inodes.values()) for (const child of one.children.values()) if (child === node) links++;
    return links;
  }

  #dropIfNameless(node: ModelNode, held: readonly number[]): void {
    if (this.links(node) > 0 || held.includes(node.inode)) return;
    for (const index of [...node.blocks.keys()]) this.#forget(node, index);
    this.inodes.delete(node.inode);
  }

  #forget(node: ModelNode, index: number): void {
    const block = node.blocks.get(index);
    if (block === undefined) return;
    this.garbage.push(block.version);
    node.blocks.delete(index);
  }

  #isWithin(node: ModelNode, ancestor: ModelNode): boolean {
    return node === ancestor || [...ancestor.children.values()].some((child) => this.#isWithin(node, child));
  }

  #put(directory: ModelNode, name: string, node: ModelNode, now: bigint): void {
    directory.children.set(name, node);
    directory.modified = now;
    directory.changed = now;
  }

  #take(directory: ModelNode, name: string, now: bigint): void {
    directory.children.delete(name);
    directory.modified = now;
    directory.changed = now;
  }

  #inode(inode: number): ModelNode {
    return this.inodes.get(inode) ?? fail('ENOENT');
  }

  #directory(inode: number): ModelNode {
    const node = this.#inode(inode);
    return node.kind === 'directory' ? node : fail('ENOTDIR');
  }

  #node(
    inode: number,
    kind: FileKind,
    mode: number,
    now: bigint,
    { uid, gid }: { uid: number; gid: number },
  ): ModelNode {
    const empty = { children: new Map(), blocks: new Map(), xattrs: new Map() };
    return { inode, kind, mode, uid, gid, size: 0, modified: now, changed: now, ...empty };
  }
}
