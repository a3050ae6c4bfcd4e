// Asks the metaserver itself which versions the block map names. For whoever
// deletes versions, blames servers or reports losses: the mediator's cache may
// still name versions of a file that is gone.
import { malformed } from '../../protocol/errors.js';
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';

/** Whether the block map names this version now, and so has named it since its commit. */
export async function isNamed(metadata: MetadataService, block: BlockKey): Promise<boolean> {
  const [named] = await areNamed(metadata, [block]);
  return named === true;
}

/** `isNamed` of each of these: some thousands at most. */
export async function areNamed(metadata: MetadataService, versions: readonly BlockKey[]): Promise<boolean[]> {
  if (versions.length === 0) return [];
  const blocks = versions.map(({ inode, index, version }) => ({ inode, index, version }));
  const { named } = await metadata.query({ name: 'named', request: { blocks } });
  // Whoever asks deletes what is not named: an answer that lacks an end must not have it deleted.
  if (named.length !== versions.length) throw malformed(`${named.length} answers about ${versions.length} versions`);
  return named;
}
