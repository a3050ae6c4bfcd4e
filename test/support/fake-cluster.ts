// A mediator over data servers and a namespace in memory, in virtual time: all of
// the mediator's behaviour without processes.
import { type Mediator, type MediatorOptions, openMediator } from '../../src/mediator/mediator.js';
import { type Metaserver, openMetaserver } from '../../src/metaserver/metaserver.js';
import { MemoryStore, memoryEngine } from '../../src/metaserver/storage/memory-engine.js';
import { ServiceError } from '../../src/protocol/errors.js';
import { ROOT_INODE } from '../../src/protocol/services/files.js';
import type { GroupService } from '../../src/protocol/services/group.js';
import type { CommandName, MetaserverService, QueryName } from '../../src/protocol/services/metadata.js';
import type { Remote, RemoteState } from '../../src/protocol/wire/client.js';
import type { Disk } from '../../src/runtime/disk.js';
import { silentLog } from '../../src/runtime/log.js';
import type { Network } from '../../src/runtime/network.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { SeededRandom } from '../simulation/world/seeded-random.js';
import { FaultyReplica } from './faulty-replica.js';
import { VirtualClock } from './virtual-clock.js';

/** What a part that must not be used throws when it is. */
function unused<T extends object>(what: string): T {
  return new Proxy({} as T, {
    get() {
      throw new Error(`${what} is not there in this test`);
    },
  });
}

export interface LoggedEvent {
  event: string;
  level: 'debug' | 'info' | 'warn' | 'error';
  [field: string]: unknown;
}

/** The metaserver is a group of one. */
const LONE_GROUP: Pick<GroupService, 'status'> = {
  status: async () => ({
    ...{ id: 'meta1/1', role: 'leader', isServing: true, leader: 'meta1', term: 1 },
    ...{ lastIndex: 0, committedIndex: 0, appliedIndex: 0, behindMs: 0, lags: [], sending: [], servers: [] },
    ...{ voters: ['meta1'], learners: [], trouble: null, reason: '', freeBytes: 2 ** 40, totalBytes: 2 ** 40 },
  }),
};

/** Virtual time, seeded randomness, no disk and no network; log events are kept in `events`. */
export function testRuntime(events: LoggedEvent[], seed = 1): Runtime & { clock: VirtualClock } {
  const record =
    (level: LoggedEvent['level']) =>
    (event: string, fields: object = {}) =>
      void events.push({ event, level, ...fields });
  return {
    clock: new VirtualClock(),
    random: new SeededRandom(seed),
    disk: unused<Disk>('a disk'),
    network: unused<Network>('a network'),
    log: { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') },
  };
}

/** The metaserver is killed under a call, before or after it is carried out, and is back at once; or it carries it out and answers too late. */
export interface Kill {
  under: CommandName | QueryName | 'sync' | 'executeAll';
  when: 'before' | 'after' | 'late';
  /** What others do until the caller hears of it. */
  meanwhile?: () => Promise<unknown>;
}

export interface FakeClusterOptions extends Partial<MediatorOptions> {
  servers?: number;
  /** Of all randomness. */
  seed?: number;
  /** Stands for the supervisor; without it servers are restarted by their own hook. */
  restartServer?: (replica: FaultyReplica, blank: boolean) => Promise<void>;
}

export class FakeCluster {
  /** What becomes of `collected`. lost: answered and forgotten, as by a metaserver that crashes right after; unanswered: it never arrives. */
  collectedFate: 'kept' | 'lost' | 'unanswered' = 'kept';
  /** In this order. */
  readonly kills: Kill[] = [];
  /** What the answer to a query waits for, once the metaserver has found it. */
  beforeAnswer: (query: string) => Promise<unknown> | undefined = () => undefined;
  /** Calls that reached the metaserver, by name. */
  readonly metadataCalls = new Map<string, number>();
  readonly #mediators: Mediator[] = [];
  #metaserver: Metaserver;
  /** While there is none, calls wait for the next. */
  #starting: Promise<Metaserver> | null = null;
  /** Of calls that the metaserver has not answered. */
  readonly #unanswered = new Set<(error: Error) => void>();
  readonly #metadataListeners: ((state: RemoteState) => void)[] = [];

  readonly #options: MediatorOptions;
  readonly #metadataStore: MemoryStore;
  readonly #restartServer: FakeClusterOptions['restartServer'];

  private constructor(
    readonly events: LoggedEvent[],
    readonly runtime: Runtime & { clock: VirtualClock },
    readonly replicas: readonly FaultyReplica[],
    options: MediatorOptions,
    metaserver: Metaserver,
    metadataStore: MemoryStore,
    /** What the metaserver's disk does before each write. */
    readonly metaserverDisk: { beforeWrite?: () => Promise<void> },
    restartServer: FakeClusterOptions['restartServer'],
  ) {
    this.#options = options;
    this.#metadataStore = metadataStore;
    this.#restartServer = restartServer;
    this.#metaserver = metaserver;
  }

  static async open({ servers = 5, seed, restartServer, ...options }: FakeClusterOptions = {}): Promise<FakeCluster> {
    const events: LoggedEvent[] = [];
    const runtime = testRuntime(events, seed);
    const replicas = await Promise.all(
      Array.from({ length: servers }, (_, index) => FaultyReplica.open(index + 1, runtime)),
    );
    const disk: FakeCluster['metaserverDisk'] = {};
    const store = new MemoryStore();
    const metaserver = await start(store, disk, runtime);
    const complete: MediatorOptions = {
      readQuorum: 3,
      writeQuorum: servers,
      audit: 'all',
      onWriteQuorumLost: 'fail',
      address: '127.0.0.1:0',
      blockSizeBytes: 16 * 1024,
      testHooks: true,
      deadlineMs: 300,
      maintenance: true,
      ...options,
    };
    return new FakeCluster(events, runtime, replicas, complete, metaserver, store, disk, restartServer);
  }

  /** Another mediator over the same servers. */
  async mediator(options: Partial<MediatorOptions> = {}): Promise<Mediator> {
    const restartServer = this.#restartServer;
    const metadata: MetaserverService = {
      execute: (message, options) =>
        message.name === 'collected' && this.collectedFate !== 'kept'
          ? this.#loseCollected()
          : this.#unlessKilled(message.name, () => this.#metaserver.metadata.execute(message, options)),
      query: (message, options) =>
        this.#unlessKilled(message.name, async () => {
          const result = await this.#metaserver.metadata.query(message, options);
          await this.beforeAnswer(message.name);
          return result;
        }),
      executeAll: (request, options) =>
        this.#unlessKilled('executeAll', () => this.#metaserver.metadata.executeAll(request, options)),
      sync: (request, options) => this.#unlessKilled('sync', () => this.#metaserver.metadata.sync(request, options)),
    };
    const remote: Remote = {
      service: <T>(name: string) => (name === 'group' ? LONE_GROUP : metadata) as T,
      state: 'up',
      fellSilent: false,
      onStateChange: (listener) => {
        this.#metadataListeners.push(listener);
      },
      close: async () => {},
    };
    const mediator = await openMediator(
      { ...this.#options, ...options },
      {
        metaservers: [{ name: 'meta1', address: '127.0.0.1:1', remote }],
        dataservers: this.replicas.map((replica) => ({
          name: replica.name,
          address: '127.0.0.1:2',
          remote: replica.remote,
        })),
        ...(restartServer === undefined
          ? {}
          : {
              supervisor: {
                restart: (name, blank) => restartServer(this.#named(name), blank),
                terminate: () => Promise.reject(new Error('unused')),
                hold: () => Promise.reject(new Error('unused')),
              },
            }),
      },
      this.runtime,
    );
    this.#mediators.push(mediator);
    return mediator;
  }

  async #unlessKilled<T>(name: Kill['under'], call: () => Promise<T>): Promise<T> {
    this.metadataCalls.set(name, (this.metadataCalls.get(name) ?? 0) + 1);
    const kill = this.kills[0];
    if (kill?.under !== name) return this.#unlessCrashed(call);
    this.kills.shift();
    if (kill.when !== 'before') await call();
    if (kill.when === 'late') throw new ServiceError('DEADLINE', 'the metaserver did not answer in time');
    await kill.meanwhile?.();
    this.reconnectMetaserver();
    throw new ServiceError('OUTCOME_UNKNOWN', 'the metaserver was killed');
  }

  async #unlessCrashed<T>(call: () => Promise<T>): Promise<T> {
    await this.#starting;
    return new Promise((resolve, reject) => {
      this.#unanswered.add(reject);
      call()
        .then(resolve, reject)
        .finally(() => this.#unanswered.delete(reject));
    });
  }

  /** The mediators lose the metaserver, and have it back at once. */
  reconnectMetaserver(): void {
    this.#tell('down');
    this.#tell('up');
  }

  /**
   * The metaserver crashes, and what was not on its disk is lost; another process takes its place, over the disk of `owner`.
   * @param first what somebody asks the new one for, before any mediator has it back
   */
  async crashMetaserver(
    owner: FakeCluster = this,
    first: (metadata: MetaserverService) => Promise<unknown> = async () => {},
  ): Promise<void> {
    this.#metadataStore.crash();
    this.#tell('down');
    for (const fail of this.#unanswered) fail(new ServiceError('OUTCOME_UNKNOWN', 'the metaserver crashed'));
    await this.#start(owner.#metadataStore, first);
  }

  async #start(store: MemoryStore, first: (metadata: MetaserverService) => Promise<unknown>): Promise<void> {
    this.#starting = start(store, this.metaserverDisk, this.runtime);
    this.#metaserver = await this.#starting;
    await first(this.#metaserver.metadata);
    this.#starting = null;
    this.#tell('up');
  }

  /** The metaserver is closed, with everything on its disk, and started anew. */
  async restartMetaserver(first: (metadata: MetaserverService) => Promise<unknown> = async () => {}): Promise<void> {
    this.#tell('down');
    await this.#metaserver.close();
    await this.#start(this.#metadataStore, first);
  }

  /** The metaserver stores what it has answered, and no mediator hears of it. */
  async storeMetadata(): Promise<void> {
    await this.#metaserver.metadata.sync({});
  }

  #tell(state: RemoteState): void {
    for (const listener of this.#metadataListeners) listener(state);
  }

  /** Versions that the metaserver still wants to be forgotten. */
  async garbage(): Promise<number> {
    const { garbage } = await this.#metaserver.metadata.query({ name: 'statistics', request: {} });
    return garbage;
  }

  async #loseCollected(): Promise<never> {
    if (this.collectedFate === 'unanswered') throw new ServiceError('DEADLINE', 'the metaserver did not answer');
    return {} as never;
  }

  replica(number: number): FaultyReplica {
    return this.#named(`data${number}`);
  }

  #named(name: string): FaultyReplica {
    const replica = this.replicas.find((each) => each.name === name);
    if (replica === undefined) throw new Error(`no ${name}`);
    return replica;
  }

  async close(): Promise<void> {
    await Promise.all(this.#mediators.map((mediator) => mediator.close()));
    await this.#metaserver.close();
    await Promise.all(this.replicas.map((replica) => replica.close()));
  }
}

/** A process of its own, whose log nobody reads. */
function start(store: MemoryStore, disk: FakeCluster['metaserverDisk'], runtime: Runtime): Promise<Metaserver> {
  const engine = memoryEngine(store, { commitDelay: async () => disk.beforeWrite?.() });
  return openMetaserver({ directory: '/meta' }, { ...runtime, log: silentLog }, engine);
}

/** A new empty file in the root; its inode. */
export async function makeFile({ files }: Mediator, name: string): Promise<number> {
  const caller = { uid: 0, gid: 0 };
  const request = { parent: ROOT_INODE, name, mode: 0o644, exclusive: true, forWriting: true, caller };
  return (await files.create(request)).attributes.inode;
}

/** Lays text over the start of a file. */
export async function writeText({ files }: Mediator, inode: number, text: string): Promise<void> {
  await files.write({ inode, extents: [{ offset: 0, data: Buffer.from(text) }], modifyTimeNs: 1n });
}

/** Turns of the event loop: in each the clock may go on, and far more is done in them than any test waits for. */
const MOST_TURNS = 200_000;

/** Waits until the condition holds, in whatever time. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; !(await condition()); turn++) {
    if (turn > MOST_TURNS) throw new Error(`waited in vain for ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
