// Where a file has data and where holes: lseek(2) with SEEK_DATA and SEEK_HOLE,
// by whole blocks of the block map. What a block holds behind its own end are
// zeros that count as data.
import { FileError } from '../../protocol/errors.js';
import type { MetadataService } from '../../protocol/services/metadata.js';

/** Entries of one question: few for where data begins; a run of blocks may be long. */
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
  // The size of its blocks never changes, its own may until the blocks are asked for.
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
