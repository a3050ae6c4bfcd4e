// BlockService: what a mediator needs of a data server. Every method takes
// many blocks, since a message costs more than a block. Results stand in the
// order of the request.
import type { DiskTrouble } from '../../runtime/disk-trouble.js';
import type { Hash } from '../values/hash.js';
import type { CallOptions } from './service.js';

/** Never used twice in a cluster; (inode, index, version) is immutable once stored. 1 or more; 0 means "no version". */
export type Version = number;

/** One version of one block. */
export interface BlockKey {
  inode: number;
  /** Position in the file, counted in blocks. */
  index: number;
  version: Version;
}

/** Bytes that replace those at `offset` within the block. */
export interface Extent {
  offset: number;
  data: Uint8Array;
}

/** The offset behind the last byte that any of the extents writes; 0 without extents. */
export function endOf(extents: readonly Extent[]): number {
  return extents.reduce((end, { offset, data }) => Math.max(end, offset + data.length), 0);
}

/** A whole block; shorter than the block size only where the file ends. */
export interface WholePut extends BlockKey {
  data: Uint8Array;
}

/**
 * A part of a block, upon a base version that the server has.
 * The result is the base cut or zero-extended to `length`, with the writes laid over it in order.
 */
export interface PatchPut extends BlockKey {
  base: Version;
  /** The witness of the base: a server whose base has another hash answers 'bad-base'. */
  baseHash: Hash;
  length: number;
  writes: Extent[];
}

export type PutItem = WholePut | PatchPut;

/**
 * - stored: durable when the request said so; `hash` is of the result
 * - no-base: the base version is not here (or its record is unreadable)
 * - bad-base: the base is here with another hash, or a page it needs does not match its stored hash
 * - full: no room; nothing was written
 */
export type PutResult =
  | { state: 'stored'; hash: Hash }
  | { state: 'no-base' }
  | { state: 'bad-base' }
  | { state: 'full' };

export interface GetItem extends BlockKey {
  /** The range whose bytes are read from the disk and hashed now; clipped to the stored length. */
  offset: number;
  length: number;
  /** Whether the bytes are sent, or only the ballot. */
  data: boolean;
}

/**
 * The ballot: the block's hash, made of hashes computed now over the pages that the range touches
 * and the stored hashes of the others. `length` is the stored length in bytes.
 * - present: `data` holds the bytes of the range (clipped) when asked for; when they are not the whole block, `pageHashes`
 *   (8 bytes each, little-endian, as hashed now or stored) lets the receiver check them against the ballot by itself
 * - absent: no such version here
 * - damaged: it was here, but its record can't be read
 */
export type GetResult =
  | { state: 'present'; hash: Hash; length: number; data?: Uint8Array; pageHashes?: Uint8Array }
  | { state: 'absent' }
  | { state: 'damaged' };

export interface ListEntry extends BlockKey {
  length: number;
  /** From the stored page hashes, not recomputed. */
  hash: Hash;
  /** When the version was stored here, nanoseconds since 1970. */
  modifiedNs: bigint;
}

export interface StoreStatus {
  /** The configured name: data1 … */
  name: string;
  /** The cluster that the store belongs to; null until `adopt`. */
  clusterId: string | null;
  /** Made when the store was initialised: another one means that the store was wiped. */
  storeId: string;
  blocks: number;
  /** User bytes of those blocks. */
  bytes: number;
  /** Bytes of segment files on disk, dead space included. */
  storedBytes: number;
  /** What puts may still take, on a disk that others may fill too. */
  freeBytes: number;
  totalBytes: number;
  /** The same for servers whose stores lie on the same disk, and so have the same room. */
  diskId: string;
  /** Why its disk takes nothing, as far as the last write has told; null when it takes what comes. */
  trouble: DiskTrouble | null;
  /** The trouble in the system's words; empty without one. */
  reason: string;
}

export interface BlockService {
  /**
   * Stores new versions. All or nothing per item, never per request. A version that is already here
   * with the same content is 'stored' again (repeats are safe); with other content it is replaced only when `replace`
   * (repair) is true, otherwise the old content stays and its hash is answered.
   */
  put(
    request: { items: PutItem[]; durable: boolean; replace?: boolean },
    options?: CallOptions,
  ): Promise<{ results: PutResult[] }>;
  get(request: { items: GetItem[] }, options?: CallOptions): Promise<{ results: GetResult[] }>;
  /** Forgets versions; one that is not here counts as forgotten. Survives a restart, though not always a power cut. */
  delete(request: { items: BlockKey[] }, options?: CallOptions): Promise<{ deleted: number }>;
  /** Entries in key order (inode, index, version) after `after`; `next` is absent at the end. */
  list(
    request: { after?: BlockKey; limit: number },
    options?: CallOptions,
  ): Promise<{ entries: ListEntry[]; next?: BlockKey }>;
  /** Everything stored before is on stable storage when it answers. */
  flush(request: Record<string, never>, options?: CallOptions): Promise<Record<string, never>>;
  /**
   * `epoch`: of the mediator that asks, if the store is of its cluster `clusterId`, or of none; from then on it speaks for all calls of this connection. Calls of an older one, whoever
   * has been here before, are FENCED, also after a restart.
   */
  status(request: { epoch?: number; clusterId?: string }, options?: CallOptions): Promise<StoreStatus>;
  /** Stamps a fresh store with its cluster; REFUSED when it already belongs to another. */
  adopt(request: { clusterId: string }, options?: CallOptions): Promise<StoreStatus>;
}

/** Test hooks of a data server; all answer REFUSED unless the config says testHooks: true. */
export interface HookService {
  /** Replaces the stored bytes of a version by `text` (default: "This is a corrupted dataK", K the server's number), the key and version staying. */
  corrupt(request: BlockKey & { text?: string }, options?: CallOptions): Promise<Record<string, never>>;
  /** Answers, then the process really exits, and its supervisor leaves it so. */
  terminate(request: Record<string, never>, options?: CallOptions): Promise<Record<string, never>>;
  /** Answers, then the process exits and its supervisor starts a new one; with `blank`, after wiping the store. */
  restart(request: { blank: boolean }, options?: CallOptions): Promise<Record<string, never>>;
}
