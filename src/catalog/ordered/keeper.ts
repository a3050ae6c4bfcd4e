// What a server must find again when it starts: on its disk, or for as long as its process lives.
import { join } from 'node:path';
import type { Mark } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import { type MemberLog, MemoryLog } from '../../replication/log/memory-log.js';
import { ReplicationLog } from '../../replication/log/replication-log.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { MapContent } from '../map/catalog-map.js';
import { decodeContent, encodeContent } from '../map/encoding.js';
import { SmallFiles } from '../storage/small-files.js';

const SEGMENT_BYTES = 2 * 1024 * 1024;
const CACHE_BYTES = 8 * 1024 * 1024;

export interface Identity {
  readonly cluster: string;
  readonly protocol: string;
  readonly name: string;
  /** Of this disk: another one of the same server is somebody else. */
  readonly incarnation: string;
  /** null until it is known whether it is a founder. */
  readonly self: MemberId | null;
  /** All founders, or nobody for a member that has joined later. */
  readonly founders: readonly MemberId[];
  /** It was taken out of its group. */
  readonly isRemoved: boolean;
}

export interface KeptState {
  readonly mark: Mark;
  readonly content: MapContent;
}

/** All that is kept is on stable storage when the promise resolves, whole or not at all. */
export interface Keeper {
  /** In words, for messages. */
  readonly where: string;
  identity(): Promise<Identity | undefined>;
  keepIdentity(identity: Identity): Promise<void>;
  /** Which disk of each server this one has taken for a founder's. */
  registrations(): Promise<Record<string, string>>;
  keepRegistrations(registrations: Record<string, string>): Promise<void>;
  state(): Promise<KeptState | undefined>;
  keepState(state: KeptState): Promise<void>;
  /** @param mark what the state stands for */
  openLog(self: MemberId, mark: Mark): Promise<MemberLog>;
}

export class DiskKeeper implements Keeper {
  readonly where: string;
  readonly #files: SmallFiles;
  readonly #directory: string;
  readonly #runtime: Runtime;

  constructor(directory: string, runtime: Runtime) {
    this.where = directory;
    this.#files = new SmallFiles(directory, runtime.disk);
    this.#directory = directory;
    this.#runtime = runtime;
  }

  async identity(): Promise<Identity | undefined> {
    return (await this.#files.readJson('identity.json')) as Identity | undefined;
  }

  async keepIdentity(identity: Identity): Promise<void> {
    await this.#files.replaceJson('identity.json', identity);
  }

  async registrations(): Promise<Record<string, string>> {
    return ((await this.#files.readJson('registrations.json')) ?? {}) as Record<string, string>;
  }

  async keepRegistrations(registrations: Record<string, string>): Promise<void> {
    await this.#files.replaceJson('registrations.json', registrations);
  }

  async state(): Promise<KeptState | undefined> {
    const bytes = await this.#files.read('state');
    return bytes === undefined ? undefined : decodeState(bytes);
  }

  async keepState(state: KeptState): Promise<void> {
    await this.#files.replace('state', encodeState(state));
  }

  async openLog(owner: MemberId, mark: Mark): Promise<MemberLog> {
    const directory = join(this.#directory, 'log');
    await this.#runtime.disk.makeDirectory(directory);
    const settings = { owner, segmentBytes: SEGMENT_BYTES, cacheBytes: CACHE_BYTES };
    return ReplicationLog.open(directory, mark, settings, this.#runtime);
  }
}

export class MemoryKeeper implements Keeper {
  readonly where = 'memory';
  #identity: Identity | undefined;
  #registrations: Record<string, string> = {};
  #state: KeptState | undefined;
  #log: MemberLog | undefined;

  async identity(): Promise<Identity | undefined> {
    return this.#identity;
  }

  async keepIdentity(identity: Identity): Promise<void> {
    this.#identity = identity;
  }

  async registrations(): Promise<Record<string, string>> {
    return this.#registrations;
  }

  async keepRegistrations(registrations: Record<string, string>): Promise<void> {
    this.#registrations = registrations;
  }

  async state(): Promise<KeptState | undefined> {
    return this.#state;
  }

  async keepState(state: KeptState): Promise<void> {
    this.#state = state;
  }

  async openLog(_owner: MemberId, mark: Mark): Promise<MemberLog> {
    this.#log ??= new MemoryLog(mark);
    return this.#log;
  }
}

/** A whole state as it is kept, and as it is sent. */
export function encodeState({ mark, content }: KeptState): Uint8Array {
  const head = new TextEncoder().encode(JSON.stringify(mark));
  const body = encodeContent(content);
  const bytes = new Uint8Array(HEAD_LENGTH_BYTES + head.length + body.length);
  new DataView(bytes.buffer).setUint32(0, head.length);
  bytes.set(head, HEAD_LENGTH_BYTES);
  bytes.set(body, HEAD_LENGTH_BYTES + head.length);
  return bytes;
}

export function decodeState(bytes: Uint8Array): KeptState {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const head = new TextDecoder().decode(bytes.subarray(HEAD_LENGTH_BYTES, HEAD_LENGTH_BYTES + length));
  return {
    mark: JSON.parse(head) as Mark,
    content: decodeContent(bytes.subarray(HEAD_LENGTH_BYTES + length)),
  };
}

const HEAD_LENGTH_BYTES = 4;
