// Removes orphans: versions on data servers that no block map names and no
// write will commit, left by writes that failed while a server was away.
import type { BlockKey, ListEntry, Version } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { areNamed } from '../metadata/named-versions.js';
import { forgetVersions } from '../replicas/forget.js';
import type { Replica } from '../replicas/replica.js';

const LIST_ENTRIES = 1000;

/**
 * Walks over all that a replica holds, and yields after each part of its list how many orphans were removed.
 * @param below all versions below it are retired: one that the block map does not name now never will be named
 */
export async function* removeOrphanedVersions(
  metadata: MetadataService,
  replica: Replica,
  below: Version,
): AsyncGenerator<number> {
  let after: BlockKey | undefined;
  do {
    const request = after === undefined ? { limit: LIST_ENTRIES } : { after, limit: LIST_ENTRIES };
    const { entries, next } = await replica.call(() => replica.blocks.list(request));
    const orphans = await orphansAmong(metadata, entries, below);
    await forgetVersions(metadata, [replica], orphans);
    yield orphans.length;
    after = next;
  } while (after !== undefined);
}

async function orphansAmong(
  metadata: MetadataService,
  entries: readonly ListEntry[],
  below: Version,
): Promise<BlockKey[]> {
  const retired = entries.filter(({ version }) => version < below);
  const named = await areNamed(metadata, retired);
  return retired.filter((_, place) => named[place] !== true);
}
