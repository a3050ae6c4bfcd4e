// Blocks of files by the SHA-256 of their content, which never changes.
import { createHash } from 'node:crypto';
import { CatalogError } from '../map/errors.js';

/** Lower-case hexadecimal digits. */
export type BlockHash = string;

export interface Blocks {
  /** undefined for a block that is not there. */
  get(hash: BlockHash): Promise<Uint8Array | undefined>;
  /** On stable storage when it resolves. */
  put(bytes: Uint8Array): Promise<BlockHash>;
  has(hash: BlockHash): Promise<boolean>;
  close(): Promise<void>;
}

export function hashOf(bytes: Uint8Array): BlockHash {
  return createHash('sha256').update(bytes).digest('hex');
}

const HASH = /^[0-9a-f]{64}$/i;

/** Throws CatalogError for what is no SHA-256. */
export function checkHash(hash: unknown): BlockHash {
  if (typeof hash !== 'string' || !HASH.test(hash)) {
    throw new CatalogError('BAD_REQUEST', 'a block is named by its SHA-256, as 64 hexadecimal digits');
  }
  return hash.toLowerCase();
}

export class MemoryBlocks implements Blocks {
  readonly #blocks = new Map<BlockHash, Uint8Array>();

  async get(hash: BlockHash): Promise<Uint8Array | undefined> {
    return this.#blocks.get(hash);
  }

  async put(bytes: Uint8Array): Promise<BlockHash> {
    const hash = hashOf(bytes);
    this.#blocks.set(hash, bytes);
    return hash;
  }

  async has(hash: BlockHash): Promise<boolean> {
    return this.#blocks.has(hash);
  }

  async close(): Promise<void> {}
}
