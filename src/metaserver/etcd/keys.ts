// What stands in etcd below the prefix, and under which keys.
//   state/cluster     whose log this is: {id, cluster, founder}
//   state/head        the last entry: {index, term, token, bytes}; bytes: of all entries up to it
//   state/leader      who leads: {name, token}; the revision at which it was made is the term
//   state/released    the last leader has handed over: {to}, and nobody has led since
//   log/INDEX         {term, token, bytes, parts}, a line feed, and the batch, or the last part of it
//   parts/INDEX/TOKEN/NUMBER   the parts before
//   replicas/NAME     what a metaserver has in its own database: {index, bytes}
import { Buffer } from 'node:buffer';
import { EtcdError } from './etcd-error.js';

/** So that the order of keys is the order of numbers. */
const INDEX_DIGITS = 16;
const PART_DIGITS = 6;
const LINE_FEED = 10;

export interface ClusterValue {
  /** Of the log: made once. */
  id: string;
  /** The configured name. */
  cluster: string;
  /** The member id, under the protocol before, of the store that the log goes on from; its name where that was empty. */
  founder: string;
}

export interface HeadValue {
  index: number;
  term: number;
  /** Of the write that has put it. */
  token: string;
  /** Of all entries up to this one. */
  bytes: number;
}

export interface LeaderValue {
  name: string;
  /** Of the request that has put it. */
  token: string;
}

export interface ReleasedValue {
  /** Who is to lead next; null for whoever comes first. */
  to: string | null;
}

export interface ReplicaValue {
  index: number;
  bytes: number;
}

export interface EntryHead {
  term: number;
  token: string;
  bytes: number;
  /** How many parts of the batch stand elsewhere. */
  parts: number;
}

export class Keys {
  readonly state: string;
  readonly cluster: string;
  readonly head: string;
  readonly leader: string;
  readonly released: string;
  readonly log: string;
  readonly replicas: string;
  readonly #parts: string;

  /** @param prefix with or without a slash at its end */
  constructor(prefix: string) {
    const base = prefix.endsWith('/') ? prefix : `${prefix}/`;
    this.state = `${base}state/`;
    this.cluster = `${this.state}cluster`;
    this.head = `${this.state}head`;
    this.leader = `${this.state}leader`;
    this.released = `${this.state}released`;
    this.log = `${base}log/`;
    this.replicas = `${base}replicas/`;
    this.#parts = `${base}parts/`;
  }

  entry(index: number): string {
    return `${this.log}${digits(index)}`;
  }

  indexOf(entryKey: string): number {
    return Number(entryKey.slice(this.log.length));
  }

  partsOf(index: number, token: string): string {
    return `${this.partsFrom(index)}${token}/`;
  }

  part(index: number, token: string, number: number): string {
    return `${this.partsOf(index, token)}${String(number).padStart(PART_DIGITS, '0')}`;
  }

  partsFrom(index: number): string {
    return `${this.#parts}${digits(index)}/`;
  }

  replica(name: string): string {
    return `${this.replicas}${name}`;
  }
}

/** Behind all keys that begin so. */
export function behind(prefix: string): string {
  return `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
}

export function encodeValue(value: object): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

/** Only nmrfs writes below its prefix. */
export function decodeValue<T extends object>(key: string, value: Buffer): T {
  try {
    const decoded: unknown = JSON.parse(value.toString('utf8'));
    if (typeof decoded === 'object' && decoded !== null) return decoded as T;
  } catch {
    // As any other value that is none of ours.
  }
  throw foreign(key);
}

export function encodeEntry(head: EntryHead, bytes: Uint8Array): Buffer {
  return Buffer.concat([encodeValue(head), Buffer.of(LINE_FEED), bytes]);
}

export function decodeEntry(key: string, value: Buffer): { head: EntryHead; bytes: Buffer } {
  const end = value.indexOf(LINE_FEED);
  if (end < 0) throw foreign(key);
  return { head: decodeValue(key, value.subarray(0, end)), bytes: value.subarray(end + 1) };
}

function foreign(key: string): EtcdError {
  return new EtcdError('refused', `the key ${key} of etcd is none of nmrfs: choose another etcd.prefix`);
}

function digits(index: number): string {
  return String(index).padStart(INDEX_DIGITS, '0');
}
