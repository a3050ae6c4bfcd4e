// The log that metaservers share in etcd: who leads, what the last entry is, entries, and how far each metaserver is. Everything that
// is put has a token, so that a request whose answer was lost can be made once more: it then finds out that it was carried out.
import { Buffer } from 'node:buffer';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import {
  behind,
  type ClusterValue,
  decodeEntry,
  decodeValue,
  type EntryHead,
  encodeEntry,
  encodeValue,
  type HeadValue,
  Keys,
  type LeaderValue,
  type ReleasedValue,
  type ReplicaValue,
} from './keys.js';
import type { Condition, KeyValues, Outcome, Pair } from './kv.js';

/** etcd takes 1.5 MiB in a request, and a batch in base64 takes a third more on the way there. */
const PART_BYTES = 1024 * 1024;
const TOKEN_BYTES = 8;

/** With the revision at which it was put. */
export type Head = HeadValue & { revision: number };

export interface Leader extends LeaderValue {
  /** The revision at which it began to lead. */
  term: number;
  /** That of its last sign of life. */
  revision: number;
}

/** What etcd says about the log at one moment. */
export interface Look {
  cluster: ClusterValue | null;
  head: Head | null;
  leader: Leader | null;
  released: ReleasedValue | null;
}

export interface Entry extends EntryHead {
  index: number;
  batch: Buffer;
}

/** The right to write: nobody else has led since. */
export interface Mandate {
  readonly term: number;
  readonly lease: string;
  readonly leader: LeaderValue;
  /** For how long etcd keeps the lease without hearing of it. */
  readonly leaseSeconds: number;
}

/** What became of a write. `lost`: nothing was written, and another one leads. `unknown`: the log begins behind it by now. */
export type Written = { kind: 'written'; head: Head } | { kind: 'lost' | 'unknown' };

export class SharedLog {
  readonly #keys: Keys;
  readonly #values: KeyValues;
  readonly #runtime: Pick<Runtime, 'random'>;

  constructor(prefix: string, values: KeyValues, runtime: Pick<Runtime, 'random'>) {
    this.#keys = new Keys(prefix);
    this.#values = values;
    this.#runtime = runtime;
  }

  /** As of now: no member of etcd answers from what it had before. */
  async look(): Promise<Look> {
    return this.#read(await this.#values.startingWith(this.#keys.state));
  }

  /** Begins the log, unless somebody has before: the next look tells. `name` is the first that may lead. */
  async found(cluster: ClusterValue, head: HeadValue, name: string): Promise<void> {
    const { cluster: key, head: headKey, released } = this.#keys;
    await this.#values.transaction(
      [{ key, target: 'create', revision: 0 }],
      [
        { put: key, value: encodeValue(cluster) },
        { put: headKey, value: encodeValue(head) },
        { put: released, value: encodeValue({ to: name }) },
      ],
    );
  }

  /** From now on the leader can write nothing. @returns whether it had given no sign of life since */
  async depose({ revision }: Leader): Promise<boolean> {
    const { leader } = this.#keys;
    const condition: Condition = { key: leader, target: 'mod', revision };
    return (await this.#values.transaction([condition], [{ remove: leader }])).succeeded;
  }

  /** Leads, when nobody does and nobody has written since `head`; else null. */
  async stand(name: string, head: Head, seconds: number): Promise<Mandate | null> {
    const { leader, released, head: headKey } = this.#keys;
    const granted = await this.#values.grant(seconds);
    const value = { name, token: this.newToken() };
    const outcome = await this.#values.transaction(
      [
        { key: leader, target: 'create', revision: 0 },
        { key: headKey, target: 'mod', revision: head.revision },
      ],
      [{ put: leader, value: encodeValue(value), lease: granted.lease }, { remove: released }],
      [{ get: leader }],
    );
    const mandate = { lease: granted.lease, leaseSeconds: granted.seconds, leader: value };
    if (outcome.succeeded) return { ...mandate, term: outcome.revision };
    const found = this.#read(outcome.found).leader;
    return found?.token === value.token ? { ...mandate, term: found.term } : null;
  }

  /** A sign of life, for those who would lead. @returns the revision that it made; null when it leads no longer */
  async beat({ term, lease, leader }: Mandate): Promise<number | null> {
    const put = { put: this.#keys.leader, value: encodeValue(leader), lease };
    const { succeeded, revision } = await this.#values.transaction([this.#leads(term)], [put]);
    return succeeded ? revision : null;
  }

  /** @returns for how many seconds etcd keeps the lease from now on; 0 when it is over */
  keepAlive({ lease }: Mandate): Promise<number> {
    return this.#values.keepAlive(lease);
  }

  /** Leads no more. Nothing is waited for: whoever calls must have ceased to answer. */
  async release({ term, lease }: Mandate, to: string | null): Promise<void> {
    const { leader, released } = this.#keys;
    await this.#values.transaction(
      [this.#leads(term)],
      [{ remove: leader }, { put: released, value: encodeValue({ to }) }],
    );
    await this.#values.revoke(lease);
  }

  /**
   * Makes one attempt to write the entry behind `head`. It may be made again after a failure, with the same token: it is written
   * once at most.
   */
  async append({ term }: Mandate, head: Head, batch: Buffer, token: string): Promise<Written> {
    const keys = this.#keys;
    const index = head.index + 1;
    const bytes = head.bytes + batch.length;
    const parts = Math.max(0, Math.ceil(batch.length / PART_BYTES) - 1);
    for (let part = 0; part < parts; part++) {
      const value = batch.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
      const put = { put: keys.part(index, token, part), value };
      // What was written before is found by the last one, which fails for the same reason.
      if (!(await this.#values.transaction([this.#leads(term)], [put])).succeeded) break;
    }
    const next: HeadValue = { index, term, token, bytes };
    const entry = encodeEntry({ term, token, bytes, parts }, batch.subarray(parts * PART_BYTES));
    const outcome = await this.#values.transaction(
      [this.#leads(term), { key: keys.head, target: 'mod', revision: head.revision }],
      [
        { put: keys.entry(index), value: entry },
        { put: keys.head, value: encodeValue(next) },
      ],
      [{ get: keys.head }, { get: keys.entry(index) }, { get: keys.leader }],
    );
    return outcome.succeeded
      ? { kind: 'written', head: { ...next, revision: outcome.revision } }
      : this.#whatIsThere(outcome, next);
  }

  /** The entries from that one on, in order, at most so many. None may be missing before the first of them: look at its index. */
  async read(from: number, limit: number): Promise<Entry[]> {
    const pairs = await this.#values.range(this.#keys.entry(from), behind(this.#keys.log), limit);
    const entries: Entry[] = [];
    for (const { key, value } of pairs) {
      const index = this.#keys.indexOf(key);
      const { head, bytes } = decodeEntry(key, value);
      const parts = await this.#parts(index, head);
      // They were removed just now, and the entry with them.
      if (parts.length < head.parts) break;
      entries.push({ ...head, index, batch: Buffer.concat([...parts, bytes]) });
    }
    return entries;
  }

  /** How far the metaservers are that have ever said so. */
  async replicas(): Promise<Map<string, ReplicaValue>> {
    const { replicas } = this.#keys;
    const pairs = await this.#values.startingWith(replicas);
    return new Map(pairs.map(({ key, value }) => [key.slice(replicas.length), decodeValue<ReplicaValue>(key, value)]));
  }

  async noteReplica(name: string, value: ReplicaValue): Promise<void> {
    await this.#values.transaction([], [{ put: this.#keys.replica(name), value: encodeValue(value) }]);
  }

  async forgetReplica(name: string): Promise<void> {
    await this.#values.transaction([], [{ remove: this.#keys.replica(name) }]);
  }

  /** Removes all entries below `index`. */
  async trim(index: number): Promise<void> {
    const keys = this.#keys;
    await this.#values.transaction(
      [],
      [
        { remove: keys.log, upTo: keys.entry(index) },
        { remove: keys.partsFrom(0), upTo: keys.partsFrom(index) },
      ],
    );
  }

  /** etcd keeps all versions of all keys until it is told not to. */
  forgetHistory(revision: number): Promise<void> {
    return this.#values.forgetHistory(revision);
  }

  newToken(): string {
    return randomHex(this.#runtime.random, TOKEN_BYTES);
  }

  #leads(term: number): Condition {
    return { key: this.#keys.leader, target: 'create', revision: term };
  }

  /** The conditions of a write did not hold: it was carried out before, or can never be. */
  #whatIsThere({ found }: Outcome, next: HeadValue): Written {
    const { head } = this.#read(found);
    if (head?.token === next.token) return { kind: 'written', head };
    const key = this.#keys.entry(next.index);
    const entry = found.find((pair) => pair.key === key);
    // Another leader has gone on from it.
    if (entry !== undefined && decodeEntry(key, entry.value).head.token === next.token && head !== null) {
      return { kind: 'written', head };
    }
    // It may have been written, and removed since because all of them have it.
    if (entry === undefined && head !== null && head.index >= next.index) return { kind: 'unknown' };
    return { kind: 'lost' };
  }

  async #parts(index: number, { token, parts }: EntryHead): Promise<Buffer[]> {
    if (parts === 0) return [];
    const prefix = this.#keys.partsOf(index, token);
    return (await this.#values.range(prefix, behind(prefix), parts)).map(({ value }) => value);
  }

  #read(pairs: readonly Pair[]): Look {
    const { cluster, head, leader, released } = this.#keys;
    const find = (key: string) => pairs.find((pair) => pair.key === key);
    const value = <T extends object>(pair: Pair | undefined): T | null =>
      pair === undefined ? null : decodeValue<T>(pair.key, pair.value);
    const headPair = find(head);
    const leaderPair = find(leader);
    const headValue = value<HeadValue>(headPair);
    const leaderValue = value<LeaderValue>(leaderPair);
    return {
      cluster: value(find(cluster)),
      head: headValue === null ? null : { ...headValue, revision: headPair?.revision ?? 0 },
      leader:
        leaderValue === null
          ? null
          : { ...leaderValue, term: leaderPair?.createRevision ?? 0, revision: leaderPair?.revision ?? 0 },
      released: value(find(released)),
    };
  }
}
