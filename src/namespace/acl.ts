// POSIX access control lists as Linux keeps them in extended attributes
// (linux/posix_acl_xattr.h): what they say about the mode, and what new files
// inherit. Pure. Who may do what is the kernel's to decide (FUSE_POSIX_ACL).
import { Buffer } from 'node:buffer';
import { FileError } from '../protocol/errors.js';

export const ACCESS_ACL = 'system.posix_acl_access';
export const DEFAULT_ACL = 'system.posix_acl_default';

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const Tag = { OWNER: 1, USER: 2, GROUP: 4, NAMED_GROUP: 8, MASK: 16, OTHER: 32 } as const;

interface Entry {
  tag: number;
  permissions: number;
  id: number;
}

export class AccessList {
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** EINVAL unless it has each entry that a list must have exactly once. */
  static parse(value: Uint8Array): AccessList {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const isWhole = bytes.length > HEADER_BYTES && (bytes.length - HEADER_BYTES) % ENTRY_BYTES === 0;
    if (!isWhole || bytes.readUInt32LE(0) !== VERSION) throw new FileError('EINVAL', 'no access control list');
    const entries: Entry[] = [];
    for (let at = HEADER_BYTES; at < bytes.length; at += ENTRY_BYTES) {
      const permissions = bytes.readUInt16LE(at + 2);
      if (permissions > 7) throw new FileError('EINVAL', `an access control list grants ${permissions}`);
      entries.push({ tag: bytes.readUInt16LE(at), permissions, id: bytes.readUInt32LE(at + 4) });
    }
    const count = (tag: number) => entries.filter((entry) => entry.tag === tag).length;
    const isComplete = [Tag.OWNER, Tag.GROUP, Tag.OTHER].every((tag) => count(tag) === 1);
    const needsMask = count(Tag.USER) + count(Tag.NAMED_GROUP) > 0;
    if (!isComplete || count(Tag.MASK) > 1 || (needsMask && count(Tag.MASK) === 0)) {
      throw new FileError('EINVAL', 'an access control list without the entries that it must have');
    }
    return new AccessList(entries);
  }

  /** The list says no more than permission bits can. */
  get isPlain(): boolean {
    return this.#entries.length === 3;
  }

  /** The nine permission bits of the list: the mask's for the group class, if there is a mask. */
  get permissionBits(): number {
    return (this.#of(Tag.OWNER) << 6) | (this.#of(this.#groupClass) << 3) | this.#of(Tag.OTHER);
  }

  /** The list after chmod(2). */
  withBits(mode: number): AccessList {
    const bits = new Map<number, number>([
      [Tag.OWNER, mode >> 6],
      [this.#groupClass, mode >> 3],
      [Tag.OTHER, mode],
    ]);
    return new AccessList(
      this.#entries.map((entry) => ({ ...entry, permissions: (bits.get(entry.tag) ?? entry.permissions) & 7 })),
    );
  }

  encode(): Buffer {
    const bytes = Buffer.alloc(HEADER_BYTES + this.#entries.length * ENTRY_BYTES);
    bytes.writeUInt32LE(VERSION, 0);
    this.#entries.forEach(({ tag, permissions, id }, position) => {
      bytes.writeUInt16LE(tag, HEADER_BYTES + position * ENTRY_BYTES);
      bytes.writeUInt16LE(permissions, HEADER_BYTES + position * ENTRY_BYTES + 2);
      bytes.writeUInt32LE(id, HEADER_BYTES + position * ENTRY_BYTES + 4);
    });
    return bytes;
  }

  get #groupClass(): 4 | 16 {
    return this.#entries.some(({ tag }) => tag === Tag.MASK) ? Tag.MASK : Tag.GROUP;
  }

  #of(tag: number): number {
    return this.#entries.find((entry) => entry.tag === tag)?.permissions ?? 0;
  }
}

const PERMISSION_BITS = 0o777;

/** A mode whose permission bits are the list's. */
export function modeWith(mode: number, list: AccessList): number {
  return (mode & ~PERMISSION_BITS) | list.permissionBits;
}

/**
 * What a new file gets in a directory with this default list, or with none: no more than its maker asks for, less the umask
 * only where there is no list; acl(5). `access` is there when it says more than the mode.
 */
export function inherited(
  mode: number,
  umask: number,
  defaults: Uint8Array | undefined,
): { mode: number; access: Buffer | undefined } {
  if (defaults === undefined) return { mode: mode & ~(umask & PERMISSION_BITS), access: undefined };
  const list = AccessList.parse(defaults);
  const allowed = list.withBits(list.permissionBits & mode);
  return { mode: modeWith(mode, allowed), access: allowed.isPlain ? undefined : allowed.encode() };
}
