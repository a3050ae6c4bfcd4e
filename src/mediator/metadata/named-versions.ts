// Asks the metaserver itself which versions the block map names. For whoever
// deletes versions, blames servers or reports losses: the mediator's cache may
// still name versions of a file that is gone.
import { FileError } from '../../protocol/errors.js';
import type { BlockKey, Version } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';

/** Whether the block map names this version now, and so has named it since its commit. */
export async function isNamed(metadata: MetadataService, { inode, index, version }: BlockKey): Promise<boolean> {
  const named = await namedVersions(metadata, inode, index, index);
  return named.get(index) === version;
}

/** The versions of the blocks first … last, by index; empty when the inode is gone. */
export async function namedVersions(
  metadata: MetadataService,
  inode: number,
  first: number,
  last: number,
): Promise<Map<number, Version>> {
  try {
    const request = { inode, first, count: last - first + 1 };
    const { blocks } = await metadata.query({ name: 'blocks', request });
    return new Map(blocks.map((block) => [block.index, block.version]));
  } catch (error) {
    if (error instanceof FileError && error.code === 'ENOENT') return new Map();
    throw error;
  }
}
