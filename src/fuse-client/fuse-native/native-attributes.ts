// Attributes and space in the package's shapes: numbers of 32 bits, milliseconds.
import type { Attributes, FileSystemSpace } from '../../protocol/services/files.js';
import { MAXIMUM_NAME_BYTES } from '../../protocol/services/files.js';
import { modeOf } from '../posix/file-modes.js';
import type { NativeSpace, NativeStat } from './native-types.js';

const LARGEST_NUMBER = 0xffff_ffff;

export function toStat(attributes: Attributes): NativeStat {
  const milliseconds = (timeNs: bigint) => Math.max(0, Number(timeNs / 1_000_000n));
  return {
    mode: modeOf(attributes.kind, attributes.mode),
    uid: attributes.uid,
    gid: attributes.gid,
    size: attributes.sizeBytes,
    nlink: attributes.links,
    ino: attributes.inode % (LARGEST_NUMBER + 1),
    rdev: attributes.device,
    blksize: attributes.blockSizeBytes,
    blocks: Math.ceil(attributes.allocatedBytes / 512),
    atime: milliseconds(attributes.accessTimeNs),
    mtime: milliseconds(attributes.modifyTimeNs),
    ctime: milliseconds(attributes.changeTimeNs),
  };
}

/** Numbers of blocks have 32 bits here: the block size is doubled until they fit. */
export function toSpace(space: FileSystemSpace): NativeSpace {
  let bsize = space.blockSizeBytes;
  while (space.totalBytes / bsize > LARGEST_NUMBER) bsize *= 2;
  const free = Math.floor(space.freeBytes / bsize);
  const files = Math.min(space.files + free, LARGEST_NUMBER);
  return {
    bsize,
    frsize: bsize,
    blocks: Math.floor(space.totalBytes / bsize),
    bfree: free,
    bavail: free,
    files,
    ffree: free,
    favail: free,
    namemax: MAXIMUM_NAME_BYTES,
  };
}
