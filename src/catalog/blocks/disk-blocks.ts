// Blocks on the server's own disk, a file each.
import { join } from 'node:path';
import type { Disk } from '../../runtime/disk.js';
import { CatalogError } from '../map/errors.js';
import { type BlockHash, type Blocks, hashOf } from './blocks.js';

/** Files are spread over so many folders by the first digits of their names. */
const FOLDER_DIGITS = 2;

export class DiskBlocks implements Blocks {
  readonly #directory: string;
  readonly #disk: Disk;

  constructor(directory: string, disk: Disk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  /** A block that has rotted is not given out. */
  async get(hash: BlockHash): Promise<Uint8Array | undefined> {
    const bytes = await this.#disk.readFile(join(this.#folderOf(hash), hash));
    if (bytes !== undefined && hashOf(bytes) !== hash) {
      throw new CatalogError('UNAVAILABLE', `block ${hash} is damaged on this server's disk`);
    }
    return bytes;
  }

  async put(bytes: Uint8Array): Promise<BlockHash> {
    const hash = hashOf(bytes);
    const folder = this.#folderOf(hash);
    await this.#disk.makeDirectory(folder);
    await this.#disk.replaceFile(join(folder, hash), bytes);
    return hash;
  }

  async has(hash: BlockHash): Promise<boolean> {
    return (await this.#disk.list(this.#folderOf(hash))).includes(hash);
  }

  async close(): Promise<void> {}

  #folderOf(hash: BlockHash): string {
    return join(this.#directory, hash.slice(0, FOLDER_DIGITS));
  }
}
