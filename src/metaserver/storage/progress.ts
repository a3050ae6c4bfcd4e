// One row of the storage says up to which entry of the log the storage has everything. It is written in the same transaction as
// the rows themselves.
import { Buffer } from 'node:buffer';
import type { Key } from '../../namespace/view.js';
import type { Mark } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';

/** Sorts behind all other keys. */
export const PROGRESS_KEY: Key = '\u00ff'.repeat(1900);

export interface Progress {
  /** Who this store is in its group. */
  readonly self: MemberId;
  readonly mark: Mark;
  /** Of all batches up to the mark. */
  readonly digest: bigint;
}

/** What stores of before have there: the number of the last write that the storage has, and the salt of their log. */
export interface EarlierProgress {
  readonly number: number;
  readonly salt: bigint;
}

const EARLIER_BYTES = 16;

export function encodeProgress({ self, mark, digest }: Progress): Uint8Array {
  return Buffer.from(JSON.stringify({ self, mark, digest: String(digest) }), 'utf8');
}

export function decodeProgress(row: Uint8Array): Progress | EarlierProgress {
  const bytes = Buffer.from(row);
  if (bytes.length === EARLIER_BYTES) {
    return { number: Number(bytes.readBigUInt64LE(0)), salt: bytes.readBigUInt64LE(8) };
  }
  const { self, mark, digest } = JSON.parse(bytes.toString('utf8')) as { self: string; mark: Mark; digest: string };
  return { self, mark, digest: BigInt(digest) };
}

/** Begins what makes the id of a member unique, where it follows a log in etcd: the id of that log comes behind it. */
const ETCD_MARK = 'etcd-';

export function etcdMemberId(name: string, logId: string): MemberId {
  return `${name}/${ETCD_MARK}${logId}`;
}

/** The id of the log in etcd that the store of this member follows; null when it follows none. */
export function etcdLogOf(member: MemberId): string | null {
  const unique = member.slice(member.lastIndexOf('/') + 1);
  return unique.startsWith(ETCD_MARK) ? unique.slice(ETCD_MARK.length) : null;
}
