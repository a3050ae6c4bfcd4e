// Fills a cluster below the mount: names at the metaserver, blocks at the data servers and their entries at the metaserver.
import type { WholePut } from '../../src/protocol/services/blocks.js';
import { ROOT_INODE } from '../../src/protocol/services/files.js';
import type { BlockChange } from '../../src/protocol/services/metadata.js';
import { hashBlock } from '../../src/protocol/values/hash.js';
import type { Services } from './services.js';

const NAMES_AT_ONCE = 256;
const FILES_AT_ONCE = 4;
export const BLOCKS_OF_A_FILE = 1_000;
/** Of a block of the curve over blocks: a whole one of 4 KiB, two million times on three servers, would be 25 GB. */
export const FILLED_BLOCK_BYTES = 64;
const BLOCK_SIZE_BYTES = 4096;
const CALLER = { uid: 0, gid: 0 };

/** A directory below the root. No mount may have looked for it before. */
export async function makeDirectory(services: Services, name: string, parent = ROOT_INODE): Promise<number> {
  return make(services, parent, name, 'directory');
}

/** Empty files FIRST … END - 1 in a directory, by their numbers. */
export async function fillNames(services: Services, parent: number, first: number, end: number): Promise<void> {
  await many(first, end, NAMES_AT_ONCE, (number) => make(services, parent, String(number), 'file'));
}

/** Files FIRST … END - 1 of BLOCKS_OF_A_FILE blocks each, on all data servers; not synced. */
export async function fillBlocks(services: Services, parent: number, first: number, end: number): Promise<void> {
  await many(first, end, FILES_AT_ONCE, async (number) => {
    const inode = await make(services, parent, String(number), 'file');
    const { first: version } = await services.execute('allocate', { count: BLOCKS_OF_A_FILE });
    const items: WholePut[] = [];
    const changes: BlockChange[] = [];
    for (let index = 0; index < BLOCKS_OF_A_FILE; index++) {
      const data = Buffer.alloc(FILLED_BLOCK_BYTES, `${inode}/${index} `);
      items.push({ inode, index, version: version + index, data });
      const next = { version: version + index, hash: hashBlock(data), length: data.length };
      changes.push({ index, base: 0, next });
    }
    const answers = await Promise.all(
      services.dataservers.map((dataserver) => dataserver.put({ items, durable: false })),
    );
    for (const { results } of answers)
      if (results.some(({ state }) => state !== 'stored')) throw new Error('a data server has not stored a block');
    const minimumSizeBytes = (BLOCKS_OF_A_FILE - 1) * BLOCK_SIZE_BYTES + FILLED_BLOCK_BYTES;
    const { state } = await services.execute('commit', {
      ...{ inode, changes, minimumSizeBytes, truncateTo: null, modifyTimeNs: null, missing: [] },
    });
    if (state !== 'committed') throw new Error(`a commit is answered with ${state}`);
  });
}

async function make(services: Services, parent: number, name: string, kind: 'file' | 'directory'): Promise<number> {
  const { attributes } = await services.execute('make', {
    ...{ parent, name, kind, mode: kind === 'file' ? 0o644 : 0o755, caller: CALLER, device: 0, target: '' },
    ...{ blockSizeBytes: BLOCK_SIZE_BYTES, exclusive: true },
  });
  return attributes.inode;
}

async function many(
  first: number,
  end: number,
  atOnce: number,
  one: (number: number) => Promise<unknown>,
): Promise<void> {
  let next = first;
  const work = async () => {
    while (next < end) await one(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
