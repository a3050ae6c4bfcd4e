// Deletes versions that the block map no longer names. The metaserver is synced
// first: had it not stored the commit that replaced a version, its crash would
// bring back a block map that names what was deleted.
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { Replica } from './replica.js';

/** Deletes versions that no block map names from all `replicas`; rejects when one of them does not answer. */
export async function forgetVersions(
  metadata: MetadataService,
  replicas: readonly Replica[],
  versions: readonly BlockKey[],
): Promise<void> {
  if (replicas.length === 0 || versions.length === 0) return;
  await metadata.sync({});
  const items = versions.map(({ inode, index, version }) => ({ inode, index, version }));
  await Promise.all(replicas.map((replica) => replica.call(() => replica.blocks.delete({ items }))));
}
