// What a server must find again when it starts: on its disk, or for as long as its process lives.
import { join } from 'node:path';
import type { Mark } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import { type MemberLog, MemoryLog } from '../../replication/log/memory-log.js';
import { ReplicationLog } from '../../replication/log/replication-log.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { MapPart } from '../map/catalog-map.js';
import { SmallFiles } from '../storage/small-files.js';
import { StateFile } from '../storage/state-file.js';
import { decodeMark, decodeParts, encodeState, type StateToKeep } from './state-parts.js';

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

/** A state as it is read again. */
export interface KeptState {
  readonly mark: Mark;
  readonly parts: AsyncIterable<MapPart>;
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
  /** @returns about how many bytes that takes */
  keepState(state: StateToKeep): Promise<number>;
  /** @param mark what the state stands for */
  openLog(self: MemberId, mark: Mark): Promise<MemberLog>;
}

export class DiskKeeper implements Keeper {
  readonly where: string;
  readonly #files: SmallFiles;
  readonly #stateFile: StateFile;
  readonly #directory: string;
  readonly #runtime: Runtime;

  constructor(directory: string, runtime: Runtime) {
    this.where = directory;
    this.#files = new SmallFiles(directory, runtime.disk);
    this.#stateFile = new StateFile(join(directory, 'state'), runtime.disk);
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
    const file = this.#stateFile.read();
    const { value: head } = await file.next();
    return head === undefined ? undefined : { mark: decodeMark(head), parts: decodeParts(file) };
  }

  keepState(state: StateToKeep): Promise<number> {
    return this.#stateFile.replace(encodeState(state));
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
  #state: { mark: Mark; parts: readonly MapPart[] } | undefined;
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
    return this.#state === undefined ? undefined : { mark: this.#state.mark, parts: eachOf(this.#state.parts) };
  }

  async keepState({ mark, parts }: StateToKeep): Promise<number> {
    this.#state = { mark, parts: [...parts] };
    return 0;
  }

  async openLog(_owner: MemberId, mark: Mark): Promise<MemberLog> {
    this.#log ??= new MemoryLog(mark);
    return this.#log;
  }
}

async function* eachOf<T>(list: readonly T[]): AsyncGenerator<T> {
  yield* list;
}
