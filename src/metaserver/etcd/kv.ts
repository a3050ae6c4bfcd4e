// Keys and values of etcd: what the gateway says, in types.
import { Buffer } from 'node:buffer';
import { encodeText, type Gateway, type Patience } from './gateway.js';
import { behind } from './keys.js';

/** Less than the 800 ms that a leader is certain for, so that it may ask another member of etcd in time. */
const SHORT: Patience = { deadlineMs: 2000, nextAfterMs: 300 };
/** For what may be a megabyte. */
const LONG: Patience = { deadlineMs: 10_000, nextAfterMs: 1500 };
/** From which size on a request is a long one. */
const LONG_BYTES = 64 * 1024;

export interface Pair {
  key: string;
  value: Buffer;
  /** Of its first version, and of this one. */
  createRevision: number;
  revision: number;
}

/** What must be so for a transaction to be carried out: the revision of a key's first or last version; 0 when it is not there. */
export interface Condition {
  key: string;
  target: 'create' | 'mod';
  revision: number;
}

export type Operation =
  | { put: string; value: Uint8Array; lease?: string }
  | { remove: string; upTo?: string }
  | { get: string; upTo?: string };

export interface Outcome {
  succeeded: boolean;
  /** Of etcd, after the transaction. */
  revision: number;
  /** What the operations `get` have found, together. */
  found: Pair[];
}

interface RawPair {
  key: string;
  value?: string;
  create_revision?: string;
  mod_revision?: string;
}

interface RawOutcome {
  header?: { revision?: string };
  succeeded?: boolean;
  responses?: { response_range?: { kvs?: RawPair[] } }[];
}

export class KeyValues {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Carries out `then` when all conditions hold, else `otherwise`; either whole or not at all. */
  async transaction(
    conditions: readonly Condition[],
    operations: readonly Operation[],
    otherwise: readonly Operation[] = [],
  ): Promise<Outcome> {
    const bytes = operations.reduce((sum, each) => sum + ('put' in each ? each.value.length : 0), 0);
    const answer = (await this.#gateway.call(
      '/v3/kv/txn',
      {
        compare: conditions.map(rawCondition),
        success: operations.map(rawOperation),
        failure: otherwise.map(rawOperation),
      },
      bytes < LONG_BYTES ? SHORT : LONG,
    )) as RawOutcome;
    const found = (answer.responses ?? []).flatMap(({ response_range }) => response_range?.kvs ?? []);
    return {
      succeeded: answer.succeeded === true,
      revision: Number(answer.header?.revision ?? 0),
      found: found.map(readPair),
    };
  }

  /** Keys that begin so, in their order. */
  async startingWith(prefix: string): Promise<Pair[]> {
    return this.#range(prefix, behind(prefix), 0, SHORT);
  }

  /** At most `limit` keys with from <= key < upTo, in their order. */
  range(from: string, upTo: string, limit: number): Promise<Pair[]> {
    return this.#range(from, upTo, limit, LONG);
  }

  /** @returns the lease, which lasts for at least the seconds that were asked for */
  async grant(seconds: number): Promise<{ lease: string; seconds: number }> {
    const { ID, TTL } = await this.#gateway.call('/v3/lease/grant', { TTL: String(seconds) }, SHORT);
    return { lease: String(ID), seconds: Number(TTL) };
  }

  /** @returns for how many seconds the lease lasts from now on; 0 when it is over */
  async keepAlive(lease: string): Promise<number> {
    const { result } = await this.#gateway.call('/v3/lease/keepalive', { ID: lease }, SHORT);
    return Number((result as { TTL?: string } | undefined)?.TTL ?? 0);
  }

  async revoke(lease: string): Promise<void> {
    await this.#gateway.call('/v3/lease/revoke', { ID: lease }, SHORT);
  }

  /** Forgets versions of keys that were replaced or removed before that revision. */
  async forgetHistory(revision: number): Promise<void> {
    await this.#gateway.call('/v3/kv/compaction', { revision: String(revision) }, LONG);
  }

  async #range(from: string, upTo: string, limit: number, patience: Patience): Promise<Pair[]> {
    const request = { key: encodeText(from), range_end: encodeText(upTo), limit: String(limit) };
    const { kvs } = await this.#gateway.call('/v3/kv/range', request, patience);
    return ((kvs as RawPair[] | undefined) ?? []).map(readPair);
  }
}

function rawCondition({ key, target, revision }: Condition): object {
  const field = target === 'create' ? 'create_revision' : 'mod_revision';
  return { key: encodeText(key), target: target.toUpperCase(), result: 'EQUAL', [field]: String(revision) };
}

function rawOperation(operation: Operation): object {
  if ('put' in operation) {
    const { put, value, lease } = operation;
    const pair = { key: encodeText(put), value: Buffer.from(value).toString('base64') };
    return { request_put: lease === undefined ? pair : { ...pair, lease } };
  }
  const [kind, key] =
    'remove' in operation
      ? (['request_delete_range', operation.remove] as const)
      : (['request_range', operation.get] as const);
  const { upTo } = operation;
  const range = upTo === undefined ? {} : { range_end: encodeText(upTo) };
  return { [kind]: { key: encodeText(key), ...range } };
}

function readPair({ key, value, create_revision, mod_revision }: RawPair): Pair {
  return {
    key: Buffer.from(key, 'base64').toString('utf8'),
    value: Buffer.from(value ?? '', 'base64'),
    createRevision: Number(create_revision ?? 0),
    revision: Number(mod_revision ?? 0),
  };
}
