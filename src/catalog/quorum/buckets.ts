// What a server holds, in so few bytes that two servers can compare it whenever they gossip: keys are spread over buckets, and each
// bucket has a digest of the newest entries of its keys. Where digests differ, the keys of those buckets are compared.
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Key, Stamp } from './versioned.js';

/** A hundred keys a bucket, where there are 100,000 in all. */
export const BUCKETS = 1024;
const DIGEST_BYTES = 8;
export const DIGESTS_BYTES = BUCKETS * DIGEST_BYTES;

export class Buckets {
  readonly #digests = Buffer.alloc(DIGESTS_BYTES);
  readonly #keys: Set<Key>[] = Array.from({ length: BUCKETS }, () => new Set());

  /** The entry of a key is another one now. @param before undefined when there was none */
  replaced(key: Key, before: Stamp | undefined, now: Stamp): void {
    const bucket = bucketOf(key);
    this.#keys[bucket]?.add(key);
    if (before !== undefined) this.#mix(bucket, key, before);
    this.#mix(bucket, key, now);
  }

  /** Of all buckets. */
  digests(): Uint8Array {
    return Uint8Array.from(this.#digests);
  }

  /** Buckets whose digests are others there. @param digests of another server, DIGESTS_BYTES of them */
  differing(digests: Uint8Array): number[] {
    const theirs = Buffer.from(digests.buffer, digests.byteOffset, digests.length);
    return Array.from({ length: BUCKETS }, (_, bucket) => bucket).filter((bucket) => {
      const at = bucket * DIGEST_BYTES;
      return this.#digests.compare(theirs, at, at + DIGEST_BYTES, at, at + DIGEST_BYTES) !== 0;
    });
  }

  keysIn(bucket: number): Iterable<Key> {
    return this.#keys[bucket] ?? [];
  }

  /** Adds the entry to the digest, or takes it out again. */
  #mix(bucket: number, key: Key, { version, digest }: Stamp): void {
    const hash = createHash('sha256').update(`${version} ${digest} ${key}`).digest();
    const at = bucket * DIGEST_BYTES;
    for (let byte = 0; byte < DIGEST_BYTES; byte++) {
      this.#digests[at + byte] = (this.#digests[at + byte] ?? 0) ^ (hash[byte] ?? 0);
    }
  }
}

function bucketOf(key: Key): number {
  return createHash('sha256').update(key).digest().readUInt16LE(0) % BUCKETS;
}
