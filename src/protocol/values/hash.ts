// The hash that replicas vote with. A block's hash is a tree of two levels:
// xxh64 of each page, then xxh64 of those hashes with the length as seed. So a
// range can be read, or a page replaced, without touching the rest of a block,
// and the answer still speaks for the whole block as it was stored.
import { Buffer } from 'node:buffer';
// reads a file of a package, once, as the import of a module does; no data
import { readFileSync } from 'node:fs';
import xxhash from 'xxhash-wasm';

/** Bytes per page; the last page of a block may be shorter. */
export const PAGE_BYTES = 4096;

/** An unsigned 64-bit hash. */
export type Hash = bigint;

const library = await xxhash();

/** Of all that the package's WebAssembly exports. */
interface Exports {
  mem: WebAssembly.Memory;
  /** Of `lengthBytes` at `start` of the memory; signed. */
  xxh64(start: number, lengthBytes: number, seed: bigint): bigint;
}

/**
 * The package's WebAssembly with a memory of our own. The package's functions take one array at a time: for a block of 32 pages
 * that is 32 views, 32 small copies and 64 numbers more than one copy of the block. The file is not among the package's exports,
 * hence its exact version in package.json.
 */
const { mem, xxh64 } = new WebAssembly.Instance(
  new WebAssembly.Module(readFileSync(new URL('../workerd/xxhash.wasm', import.meta.resolve('xxhash-wasm')))),
).exports as unknown as Exports;
const WASM_PAGE_BYTES = 64 * 1024;
/** As much is copied there at once; stays in the processor's second cache. */
const SCRATCH_BYTES = 128 * 1024;
mem.grow(SCRATCH_BYTES / WASM_PAGE_BYTES);
const scratch = new Uint8Array(mem.buffer);

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
  writePageHashes(hashes, 0, data);
  return hashes;
}

/** Writes the hashes of the pages of `data` over those from page `first` on. */
export function writePageHashes(hashes: Uint8Array, first: number, data: Uint8Array): void {
  // Compiled to a plain store, unlike Buffer's own method: a fifth of the time of hashing.
  const view = new DataView(hashes.buffer, hashes.byteOffset, hashes.length);
  let place = first * 8;
  for (let start = 0; start < data.length; start += SCRATCH_BYTES) {
    const lengthBytes = Math.min(SCRATCH_BYTES, data.length - start);
    scratch.set(lengthBytes === data.length ? data : data.subarray(start, start + lengthBytes));
    for (let at = 0; at < lengthBytes; at += PAGE_BYTES, place += 8) {
      view.setBigInt64(place, xxh64(at, Math.min(PAGE_BYTES, lengthBytes - at), 0n), true);
    }
  }
}

/** The block's hash from its page hashes and its length. */
export function hashOfPages(pageHashes: Uint8Array, lengthBytes: number): Hash {
  return library.h64Raw(pageHashes, BigInt(lengthBytes));
}

/** The block's hash from its bytes. */
export function hashBlock(data: Uint8Array): Hash {
  return hashOfPages(hashPages(data), data.length);
}

/** The checksum of a record that nobody who does not know the salt can forge by what they store. */
export function saltedChecksum(bytes: Uint8Array, salt: bigint): Hash {
  return library.h64Raw(bytes, salt);
}

/** An unsigned 32-bit checksum, against rot and not against people. */
export function checksum32(bytes: Uint8Array, seed: number): number {
  return library.h32Raw(bytes, seed);
}

/** 16 hexadecimal digits, for people and for XML-RPC. */
export function formatHash(hash: Hash): string {
  return hash.toString(16).padStart(16, '0');
}
