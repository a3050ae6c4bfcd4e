// lseek(2) with SEEK_DATA and SEEK_HOLE, by whole blocks of the block map. The
// zeros behind the end of a short block count as data.
import { FileError } from '../../protocol/errors.js';
import type { MetadataService } from '../../protocol/services/metadata.js';

/** Entries per query for a hole: the run of blocks before it may be long. For data, one entry tells. */
const RUN_ENTRIES = 4096;

/**
 * Where the next data or hole begins, at `offset` or after it; the end of the file is a hole.
 * @throws FileError ENXIO from the end of the file on, or when only a hole follows and data is asked for
 */
export async function findEdge(
  metadata: MetadataService,
  inode: number,
  offset: number,
  what: 'data' | 'hole',
): Promise<number> {
  const most = what === 'data' ? 1 : RUN_ENTRIES;
  // Only the block size is used: it never changes. The file's size comes with its blocks.
  const { blockSizeBytes } = await metadata.query({ name: 'attributes', request: { inode } });
  for (let at = offset; ; ) {
    const first = Math.floor(at / blockSizeBytes);
    const request = { inode, first, count: Number.MAX_SAFE_INTEGER - first, most };
    const { attributes, blocks } = await metadata.query({ name: 'blocks', request });
    const { sizeBytes } = attributes;
    if (offset >= sizeBytes) throw new FileError('ENXIO', `${offset} is behind the end of the file, ${sizeBytes}`);
    if (at >= sizeBytes) return sizeBytes;
    if (what === 'data') {
      const found = blocks[0] === undefined ? sizeBytes : Math.max(at, blocks[0].index * blockSizeBytes);
      if (found >= sizeBytes) throw new FileError('ENXIO', `no data from ${offset} to the end of the file`);
      return found;
    }
    const gap = blocks.findIndex(({ index }, position) => index !== first + position);
    const run = gap === -1 ? blocks.length : gap;
    const end = run === 0 ? at : (first + run) * blockSizeBytes;
    if (run < most) return Math.min(end, sizeBytes);
    at = end;
  }
}
