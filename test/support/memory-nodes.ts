// The inodes and names behind MemoryFiles.
import { ACCESS_ACL, DEFAULT_ACL, inherited } from '../../src/namespace/acl.js';
import { FileError } from '../../src/protocol/errors.js';
import type { Attributes, Caller, FileKind, FileName } from '../../src/protocol/services/files.js';
import { MAXIMUM_NAME_BYTES, ROOT_INODE } from '../../src/protocol/services/files.js';
import { MEMORY_BLOCK_BYTES, MemoryContent } from './memory-content.js';

export interface Node {
  attributes: Attributes;
  content: MemoryContent;
  entries: Map<FileName, { inode: number; cookie: number }>;
  parent: number;
  target: string;
  extended: Map<string, Uint8Array>;
}

const SET_GROUP_ID = 0o2000;

export class MemoryNodes {
  protected readonly nodes = new Map<number, Node>();
  #lastInode = ROOT_INODE;
  #lastCookie = 2;

  /** `nowNs` gives the times of changes. */
  constructor(protected readonly nowNs: () => bigint) {
    this.makeNode(ROOT_INODE, 'directory', 0o755, { uid: 0, gid: 0 }, ROOT_INODE).attributes.links = 2;
  }

  protected node(inode: number): Node {
    const node = this.nodes.get(inode);
    if (node === undefined) throw new FileError('ENOENT', `inode ${inode}`);
    return node;
  }

  protected directory(inode: number): Node {
    const node = this.node(inode);
    if (node.attributes.kind !== 'directory') throw new FileError('ENOTDIR', `inode ${inode}`);
    return node;
  }

  protected child(parent: number, name: FileName): Node {
    const entry = this.directory(parent).entries.get(name);
    if (entry === undefined) throw new FileError('ENOENT', name);
    return this.node(entry.inode);
  }

  protected add(parent: number, name: FileName, kind: FileKind, mode: number, caller: Caller, umask = 0): Attributes {
    const { attributes: above, extended } = this.directory(parent);
    if (this.node(parent).entries.has(name)) throw new FileError('EEXIST', name);
    const inherits = (above.mode & SET_GROUP_ID) !== 0;
    const owner = { uid: caller.uid, gid: inherits ? above.gid : caller.gid };
    this.#lastInode += 1;
    const defaults = kind === 'symlink' ? undefined : extended.get(DEFAULT_ACL);
    const { mode: allowed, access } = inherited(mode, umask, defaults);
    const permissions = inherits && kind === 'directory' ? allowed | SET_GROUP_ID : allowed;
    const node = this.makeNode(this.#lastInode, kind, permissions, owner, parent);
    if (access !== undefined) node.extended.set(ACCESS_ACL, access);
    if (defaults !== undefined && kind === 'directory') node.extended.set(DEFAULT_ACL, defaults);
    node.attributes.extendedAttributes = node.extended.size;
    this.enterName(parent, name, this.#lastInode);
    return { ...node.attributes };
  }

  protected addUnnamed(parent: number, mode: number, caller: Caller, umask = 0): Attributes {
    const { attributes: above, extended } = this.directory(parent);
    const { mode: allowed, access } = inherited(mode, umask, extended.get(DEFAULT_ACL));
    const gid = (above.mode & SET_GROUP_ID) !== 0 ? above.gid : caller.gid;
    this.#lastInode += 1;
    const node = this.makeNode(this.#lastInode, 'file', allowed, { uid: caller.uid, gid }, parent);
    node.attributes.links = 0;
    if (access !== undefined) node.extended.set(ACCESS_ACL, access);
    node.attributes.extendedAttributes = node.extended.size;
    return { ...node.attributes };
  }

  protected makeNode(inode: number, kind: FileKind, mode: number, owner: Caller, parent: number): Node {
    const now = this.nowNs();
    const attributes: Attributes = {
      inode,
      kind,
      mode,
      links: 1,
      uid: owner.uid,
      gid: owner.gid,
      sizeBytes: 0,
      allocatedBytes: 0,
      accessTimeNs: now,
      modifyTimeNs: now,
      changeTimeNs: now,
      device: 0,
      blockSizeBytes: MEMORY_BLOCK_BYTES,
      extendedAttributes: 0,
      revision: 1,
    };
    const parts = { content: new MemoryContent(), entries: new Map(), target: '', extended: new Map() };
    const node: Node = { attributes, parent, ...parts };
    this.nodes.set(inode, node);
    return node;
  }

  protected enterName(parent: number, name: FileName, inode: number): void {
    if (name.length > MAXIMUM_NAME_BYTES) throw new FileError('ENAMETOOLONG', name);
    if (this.directory(parent).entries.has(name)) throw new FileError('EEXIST', name);
    this.place(parent, name, this.node(inode));
  }

  protected place(parent: number, name: FileName, node: Node): void {
    const directory = this.directory(parent);
    this.#lastCookie += 1;
    directory.entries.set(name, { inode: node.attributes.inode, cookie: this.#lastCookie });
    if (node.attributes.kind === 'directory' && node.parent !== parent) {
      this.node(node.parent).attributes.links -= 1;
      directory.attributes.links += 1;
      node.parent = parent;
    }
    this.touch(directory);
    node.attributes.changeTimeNs = this.nowNs();
  }

  protected removeName(parent: number, name: FileName): void {
    const directory = this.directory(parent);
    directory.entries.delete(name);
    this.touch(directory);
  }

  protected dropName(parent: number, name: FileName, held: number[]): void {
    const node = this.child(parent, name);
    this.removeName(parent, name);
    const { attributes } = node;
    if (attributes.kind === 'directory') {
      this.node(parent).attributes.links -= 1;
      attributes.links = 0;
    } else attributes.links -= 1;
    this.changed(node);
    if (attributes.links === 0 && !held.includes(attributes.inode)) this.nodes.delete(attributes.inode);
  }

  protected touch(directory: Node): void {
    directory.attributes.modifyTimeNs = this.nowNs();
    this.changed(directory);
  }

  /** Content has changed by a write of that time; null: before the times that there are. */
  protected written(node: Node, writeTimeNs: bigint | null): Attributes {
    const { changeTimeNs } = node.attributes;
    this.changed(node);
    if (writeTimeNs !== null) node.attributes.modifyTimeNs = writeTimeNs;
    node.attributes.changeTimeNs = writeTimeNs !== null && writeTimeNs > changeTimeNs ? writeTimeNs : changeTimeNs;
    return { ...node.attributes };
  }

  protected changed(node: Node): Attributes {
    const { attributes, content } = node;
    if (attributes.kind === 'file') {
      attributes.sizeBytes = content.sizeBytes;
      attributes.allocatedBytes = content.allocatedBytes;
    }
    attributes.changeTimeNs = this.nowNs();
    attributes.revision += 1;
    return { ...attributes };
  }
}
