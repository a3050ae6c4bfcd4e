import type { BlockKey } from '../../src/protocol/services/blocks.js';

/** Names a version of a block, as a key of maps. */
export function versionKey({ inode, index, version }: BlockKey): string {
  return `${inode}/${index}/${version}`;
}
