// The hash that replicas vote with. A block's hash is a tree of two levels:
// xxh64 of each page, then xxh64 of those hashes with the length as seed. So a
// range can be read, or a page replaced, without touching the rest of a block,
// and the answer still speaks for the whole block as it was stored.
import xxhash from 'xxhash-wasm';

/** Bytes per page; the last page of a block may be shorter. */
export const PAGE_BYTES = 4096;

/** An unsigned 64-bit hash. */
export type Hash = bigint;

const library = await xxhash();

/** Number of pages of a block of `lengthBytes`. */
export function pageCount(lengthBytes: number): number {
  return Math.ceil(lengthBytes / PAGE_BYTES);
}

/** xxh64 of one page's bytes. */
export function hashPage(page: Uint8Array): Hash {
  return library.h64Raw(page);
}

/** The hashes of all pages of `data`, 8 bytes each, little-endian: what a data server keeps per version. */
export function hashPages(data: Uint8Array): Uint8Array {
  const hashes = Buffer.allocUnsafe(pageCount(data.length) * 8);
  for (let page = 0, at = 0; at < data.length; page++, at += PAGE_BYTES) {
    hashes.writeBigUInt64LE(library.h64Raw(data.subarray(at, at + PAGE_BYTES)), page * 8);
  }
  return hashes;
}

/** The block's hash from its page hashes and its length. */
export function hashOfPages(pageHashes: Uint8Array, lengthBytes: number): Hash {
  return library.h64Raw(pageHashes, BigInt(lengthBytes));
}

/** The block's hash from its bytes. */
export function hashBlock(data: Uint8Array): Hash {
  return hashOfPages(hashPages(data), data.length);
}

/** 16 hexadecimal digits, for people and for XML-RPC. */
export function formatHash(hash: Hash): string {
  return hash.toString(16).padStart(16, '0');
}
