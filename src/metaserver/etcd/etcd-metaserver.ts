// A metaserver whose log is in etcd: finds the log or begins it, follows it, and answers while it leads.

import { ServiceError } from '../../protocol/errors.js';
import type { Greeting, GroupService } from '../../protocol/services/group.js';
import { GroupLink } from '../../replication/link/group-link.js';
import { IncomingStates } from '../../replication/link/incoming-states.js';
import { type PeerAddress, Peers } from '../../replication/link/peers.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { HttpClient } from '../../runtime/http-client.js';
import { sparingRepetitions } from '../../runtime/repeated-log.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { BaseFactory, BaseStorage } from '../engine/storage.js';
import { clusterIdIn } from '../group/cluster-id.js';
import { diskStatus } from '../group/disk-status.js';
import { mostAgreeWithLeader } from '../group/divergence.js';
import { LOOPS, type MetaserverOptions, NamespaceHost } from '../metaserver.js';
import { readProgress } from '../storage/group-engine.js';
import { etcdLogOf, etcdMemberId, type Progress } from '../storage/progress.js';
import { EtcdError } from './etcd-error.js';
import { etcdGroupService, etcdPlaceOf } from './etcd-group-service.js';
import { EtcdStorage } from './etcd-storage.js';
import { findLog } from './founding.js';
import { type EtcdAccess, Gateway } from './gateway.js';
import { KeyValues } from './kv.js';
import { SharedLog } from './shared-log.js';

const ASK_FOR_STATE_MS = 1000;

export interface EtcdMetaserverOptions extends MetaserverOptions {
  /** As configured. */
  name: string;
  /** The configured name of the cluster. */
  cluster: string;
  /** All configured metaservers, this one included. */
  members: readonly PeerAddress[];
  etcd: EtcdAccess & { readonly prefix: string };
  http: HttpClient;
  secret?: string;
}

export class EtcdMetaserver {
  readonly host: NamespaceHost;
  readonly group: GroupService;
  readonly #log: SharedLog;
  readonly #peers: Peers;
  readonly #states: IncomingStates;
  #storage: EtcdStorage | null = null;
  /** Of its namespace, which never changes; null before it has one. */
  #clusterId: string | null = null;
  #link: GroupLink | null = null;
  /** Its store is empty: it is known to follow no log. */
  #isBlank = false;
  /** Why it follows no log; null when it does, or will. */
  #trouble: EtcdError | null = null;
  /** Whom a state is being sent to. */
  readonly #receivers = new Set<string>();
  #isAsking = false;
  #starting: Promise<void> = Promise.resolve();
  #isClosed = false;

  readonly #base: BaseStorage;
  readonly #options: EtcdMetaserverOptions;
  readonly #runtime: Runtime;

  private constructor(base: BaseStorage, options: EtcdMetaserverOptions, runtime: Runtime) {
    const { name, members, etcd, http, secret } = options;
    this.#base = base;
    this.#options = options;
    this.#runtime = runtime;
    this.host = new NamespaceHost(options, runtime);
    this.#log = new SharedLog(
      etcd.prefix,
      new KeyValues(new Gateway({ ...etcd, http, clock: runtime.clock })),
      runtime,
    );
    const others = members.filter((member) => member.name !== name);
    const own = () => this.#greeting;
    this.#peers = new Peers({ name, own, others, runtime, ...(secret === undefined ? {} : { secret }) });
    this.#states = new IncomingStates(async (_from, _term, mark, chunks) => {
      if (this.#storage === null) throw new EtcdError('away', 'it follows no log yet');
      await this.#storage.receiveState(mark, chunks);
    }, runtime);
    base.onDamage = (damage) => this.#noteDamage(damage);
    this.host.showGroup(
      () => etcdPlaceOf(this.#storage),
      () => diskStatus(this.#storage),
    );
    this.group = etcdGroupService({
      ...{ name, members, peers: this.#peers, states: this.#states },
      storage: () => this.#storage,
      trouble: () => this.#troubleText,
      sendState: (to) => this.#sendState(to),
      isServing: () => this.host.isServing,
    });
  }

  /** Opens the store. Rejects for one that can't be opened. */
  static async open(options: EtcdMetaserverOptions, base: BaseFactory, given: Runtime): Promise<EtcdMetaserver> {
    const runtime = sparingRepetitions(given, LOOPS);
    return new EtcdMetaserver(await base(options.directory, runtime), options, runtime);
  }

  /** Resolves when this server follows the log, or when it is known that its store can't. */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  /** Everything that was answered is durable when it resolves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#states.close();
    // Its failure is for whoever has started it.
    await this.#starting.catch(() => {});
    try {
      await this.host.close();
    } finally {
      await this.#peers.close();
      if (this.#storage === null) await this.#base.close();
    }
  }

  async #start(): Promise<void> {
    const { name, cluster, directory, etcd } = this.#options;
    const progress = await readProgress(directory, this.#base, name, this.#runtime);
    this.#isBlank = progress === undefined;
    this.#peers.announce();
    try {
      const found = await findLog({
        ...{ name, cluster, directory, prefix: etcd.prefix, base: this.#base, log: this.#log },
        ...{ progress, runtime: this.#runtime },
        mayFound: () => this.#mayFound,
        isClosed: () => this.#isClosed,
        noteTrouble: (error) => this.#noteTrouble(error),
      });
      if (found !== undefined && !this.#isClosed) await this.#follow(found);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      this.#trouble = error;
      this.#runtime.log.error('etcd.store_refused', errorFields(error));
    }
  }

  async #follow(progress: Progress): Promise<void> {
    const { name } = this.#options;
    const { clock, log } = this.#runtime;
    const storage = new EtcdStorage({
      ...{ name, names: this.#names, logId: etcdLogOf(progress.self) ?? '', log: this.#log },
      ...{ base: this.#base, progress, runtime: this.#runtime },
      lacking: () => {
        log.warn('etcd.lacks_entries', { from: storage.applied.index + 1 });
        this.#askForState(storage);
      },
      diverged: (error) => {
        log.error('replica.diverged', { member: progress.self, index: storage.applied.index, ...errorFields(error) });
        this.#replaceRows(storage).catch(rethrowProgramFault);
      },
    });
    this.#storage = storage;
    this.#link = new GroupLink({ self: progress.self, peers: this.#peers, deliver: () => {}, clock, log });
    await this.host.begin(storage);
    storage.start();
    this.#peers.announce();
  }

  /** Where others have the row too, they answer, and this server gets all rows anew; a lone one answers what it can. */
  #noteDamage(damage: Error): Error {
    const storage = this.#storage;
    this.#runtime.log.error('metadata.row_damaged', errorFields(damage));
    if (storage === null || this.#names.length < 3) return new ServiceError('FAILED', damage.message);
    storage.member.rowsDamaged(damage);
    return new ServiceError('NOT_LEADER', damage.message);
  }

  /** Not before it is known that this server is the one whose rows are wrong. */
  async #replaceRows(storage: EtcdStorage): Promise<void> {
    const logId = etcdLogOf(storage.self) ?? '';
    const voters = this.#names.map((each) => etcdMemberId(each, logId));
    const view = { appliedIndex: storage.applied.index, members: { voters } };
    const parts = { peers: this.#peers, runtime: this.#runtime, isClosed: () => this.#isClosed, isRotten: false };
    if (await mostAgreeWithLeader(view, parts)) this.#askForState(storage);
  }

  /** Asks whoever leads for the whole state until it has come. */
  #askForState(storage: EtcdStorage): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#ask(storage)
      .catch(rethrowProgramFault)
      .finally(() => {
        this.#isAsking = false;
      });
  }

  async #ask(storage: EtcdStorage): Promise<void> {
    const { clock, log } = this.#runtime;
    while (!this.#isClosed && storage.member.needsState) {
      const leader = storage.member.look?.leader?.name;
      const peer = this.#peers.all.find((each) => each.name === leader);
      try {
        await peer?.service.join({ id: storage.self });
      } catch (error) {
        rethrowProgramFault(error);
        log.debug('etcd.state_not_asked', { from: leader ?? '', ...errorFields(error) });
      }
      await sleep(clock, ASK_FOR_STATE_MS);
    }
  }

  /** In the background, one at a time to each. */
  #sendState(to: string): void {
    const { log } = this.#runtime;
    const link = this.#link;
    const storage = this.#storage;
    if (link === null || storage === null || this.#receivers.has(to)) return;
    this.#receivers.add(to);
    const { mark, chunks } = storage.states.snapshot(to);
    const { term } = etcdPlaceOf(storage);
    link
      .sendState(to, term, mark, chunks)
      .catch((error: unknown) => {
        rethrowProgramFault(error);
        log.warn('replication.state_not_sent', { to, ...errorFields(error) });
      })
      .finally(() => {
        this.#receivers.delete(to);
        return chunks.return?.();
      });
  }

  get #names(): string[] {
    return this.#options.members.map(({ name }) => name);
  }

  /** All others have said that they are blank, and this one is the first of them. */
  get #mayFound(): boolean {
    const { name, members } = this.#options;
    return members[0]?.name === name && this.#peers.all.every(({ greeting }) => greeting?.hasGroup === false);
  }

  get #greeting(): Greeting | null {
    const { name, cluster } = this.#options;
    const storage = this.#storage;
    if (storage === null && !this.#isBlank) return null;
    this.#clusterId ??= clusterIdIn(storage);
    return {
      name,
      id: storage?.self ?? null,
      hasGroup: storage !== null,
      cluster,
      clusterId: this.#clusterId,
      servers: [],
    };
  }

  get #troubleText(): string {
    const storage = this.#storage;
    if (storage === null) return this.#trouble?.message ?? '';
    if (storage.member.trouble !== null) return storage.member.trouble;
    return storage.member.needsState
      ? 'it lacks entries that etcd has no more, and waits for the state of the leader'
      : '';
  }

  #noteTrouble(error: EtcdError | null): void {
    const isNews = error?.message !== this.#trouble?.message;
    this.#trouble = error;
    if (!isNews) return;
    if (error === null) this.#runtime.log.info('etcd.back', {});
    else this.#runtime.log.error(`etcd.${error.trouble}`, errorFields(error));
  }
}
