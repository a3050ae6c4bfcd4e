// Has replicas forget versions on the word of the block map. A switch that is
// not durable yet could be undone by a crash of the metaserver, and would then
// name what was deleted: so the metaserver's disk comes first.
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { Replica } from './replica.js';

/** Deletes versions that no block map names, on all of `replicas` that can be reached. Rejects when one does not answer. */
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
