// The kind of a file in the high bits of st_mode, inode(7).
import type { FileKind } from '../../protocol/services/files.js';

const KIND_BITS: Readonly<Record<FileKind, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

export function modeOf(kind: FileKind, permissions: number): number {
  return KIND_BITS[kind] | permissions;
}

/** The kind that the high bits of a st_mode name; undefined when they name none. A mode without such bits is a file. */
export function kindOf(mode: number): FileKind | undefined {
  const bits = mode & 0o170000;
  if (bits === 0) return 'file';
  for (const [kind, value] of Object.entries(KIND_BITS)) if (value === bits) return kind as FileKind;
  return undefined;
}
