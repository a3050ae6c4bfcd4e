// A data server on a memory disk with faults to switch, behind the Remote
// interface: for tests of the mediator that need no network.
import { type Dataserver, openDataserver } from '../../src/dataserver/dataserver.js';
import { memoryIndexFactory } from '../../src/dataserver/index/memory-index.js';
import { ServiceError } from '../../src/protocol/errors.js';
import type {
  BlockKey,
  BlockService,
  GetResult,
  HookService,
  PutItem,
  StoreStatus,
} from '../../src/protocol/services/blocks.js';
import type { CallOptions } from '../../src/protocol/services/service.js';
import type { Remote, RemoteState } from '../../src/protocol/wire/client.js';
import { giveBack } from '../../src/protocol/wire/lent.js';
import { silentLog } from '../../src/runtime/log.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { Lender } from './lender.js';
import { MemoryDisk } from './memory-disk.js';

/** Of calls that name none, as a Remote has one. */
const DEADLINE_MS = 300;
/** More than any test stores. */
const LIST_ENTRIES = 10_000;
/** How long a process takes to end after it has answered that it will, and to come back. */
const ENDING_MS = 5;
const STARTING_MS = 20;

export class FaultyReplica {
  /** crashed: calls fail at once; hung: they never end; lying: it sends other bytes than it votes for; full: no room. */
  fault: 'none' | 'crashed' | 'hung' | 'lying' | 'full' = 'none';
  /** What it says of its disk. */
  trouble: StoreStatus['trouble'] = null;
  /** The cluster that it says it belongs to, in the place of its own. */
  claimedClusterId: string | null = null;
  /** Calls by method. */
  readonly calls = new Map<string, number>();
  /** What a put waits for. */
  beforePut: (items: readonly PutItem[]) => Promise<unknown> | undefined = () => undefined;
  /** Of the bytes that gets answer. */
  readonly lender = new Lender();
  /** Puts that were under way at the same time. */
  mostPutsAtOnce = 0;
  #putsUnderWay = 0;
  #server: Dataserver;
  #state: RemoteState = 'up';
  readonly #listeners: ((state: RemoteState) => void)[] = [];
  readonly #number: number;
  readonly #runtime: Runtime;

  static async open(number: number, runtime: Runtime): Promise<FaultyReplica> {
    return new FaultyReplica(number, runtime, await openStore(number, runtime));
  }

  private constructor(number: number, runtime: Runtime, server: Dataserver) {
    this.#number = number;
    this.#runtime = runtime;
    this.#server = server;
  }

  get name(): string {
    return nameOf(this.#number);
  }

  readonly remote: Remote = {
    service: <T>(name: string): T => (name === 'blocks' ? this.blocks : this.hooks) as T,
    state: 'up',
    fellSilent: false,
    onStateChange: (listener) => {
      this.#listeners.push(listener);
    },
    close: async () => {},
  };

  /** Its store without any fault. */
  get store(): BlockService {
    return this.#server.blocks;
  }

  crash(): void {
    this.fault = 'crashed';
    this.#become('down');
  }

  /** As one that is cut off, once a deadline was missed; `restart` ends it. */
  fallSilent(): void {
    Object.assign(this.remote, { fellSilent: true });
    this.crash();
  }

  /** As a process does that answers before it ends, and takes its time to come back. */
  restartSoon(blank: boolean): void {
    const { clock } = this.#runtime;
    clock.after(ENDING_MS, () => {
      this.crash();
      clock.after(STARTING_MS, () => this.restart(blank));
    });
  }

  /** Comes back with its store, or soon with an empty one. */
  restart(blank = false): void {
    if (!blank) {
      this.fault = 'none';
      this.#become('up');
      return;
    }
    void this.#wipe().then(() => this.restart());
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  /** Replaces the content of every version of a block by text that names this server. */
  async corrupt(inode: number, index: number): Promise<void> {
    for (const key of await this.#keys()) {
      if (key.inode !== inode || key.index !== index) continue;
      await this.#server.hooks.corrupt({ ...key, text: `corrupted on ${this.name}` });
    }
  }

  /** Forgets all that is stored, and still takes itself for complete. */
  async lose(): Promise<void> {
    await this.store.delete({ items: await this.#keys() });
  }

  /** What is stored, as inode/index/version. */
  async versions(): Promise<string[]> {
    return (await this.#keys()).map(({ inode, index, version }) => `${inode}/${index}/${version}`);
  }

  /** Version → content, in hexadecimal, for comparing replicas. */
  async contents(): Promise<Record<string, string>> {
    const contents: Record<string, string> = {};
    for (const key of await this.#keys()) {
      const { results } = await this.store.get({ items: [{ ...key, offset: 0, length: 2 ** 30, data: true }] });
      const [result] = results;
      const { inode, index, version } = key;
      contents[`${inode}/${index}/${version}`] =
        result?.state === 'present' ? Buffer.from(result.data ?? []).toString('hex') : `${result?.state}`;
    }
    return contents;
  }

  readonly blocks: BlockService = {
    put: async (request, options) => {
      this.mostPutsAtOnce = Math.max(this.mostPutsAtOnce, ++this.#putsUnderWay);
      try {
        await this.beforePut(request.items);
        return await this.#answer('put', options, async () =>
          this.fault === 'full' ? { results: request.items.map(() => ({ state: 'full' })) } : this.store.put(request),
        );
      } finally {
        this.#putsUnderWay--;
      }
    },
    get: (request, options) => this.#answer('get', options, async () => this.#lent(await this.store.get(request))),
    delete: (request, options) => this.#answer('delete', options, () => this.store.delete(request)),
    list: (request, options) => this.#answer('list', options, () => this.store.list(request)),
    flush: (request, options) => this.#answer('flush', options, () => this.store.flush(request)),
    status: (request, options) =>
      this.#answer('status', options, async () => this.#status(await this.store.status(request))),
    adopt: (request, options) =>
      this.#answer('adopt', options, async () => this.#status(await this.store.adopt(request))),
  };

  readonly hooks: HookService = {
    corrupt: (request, options) => this.#answer('corrupt', options, () => this.#server.hooks.corrupt(request)),
    terminate: (_request, options) => this.#answer('terminate', options, async () => ({})),
    restart: ({ blank }, options) =>
      this.#answer('restart', options, async () => {
        this.restartSoon(blank);
        return {};
      }),
  };

  #become(state: RemoteState): void {
    if (this.#state === state) return;
    this.#state = state;
    Object.assign(this.remote, { state, ...(state === 'up' ? { fellSilent: false } : {}) });
    for (const listener of this.#listeners) listener(state);
  }

  async #wipe(): Promise<void> {
    await this.#server.close();
    this.#server = await openStore(this.#number, this.#runtime);
  }

  async #keys(): Promise<BlockKey[]> {
    const { entries } = await this.store.list({ limit: LIST_ENTRIES });
    return entries.map(({ inode, index, version }) => ({ inode, index, version }));
  }

  async #answer<T>(method: string, options: CallOptions | undefined, work: () => Promise<T>): Promise<T> {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    if (this.fault === 'crashed') throw new ServiceError('UNREACHABLE', `${this.name} is down`);
    if (this.fault === 'hung') {
      await new Promise<void>((resolve) => void this.#runtime.clock.after(options?.deadlineMs ?? DEADLINE_MS, resolve));
      throw new ServiceError('DEADLINE', `${this.name} hangs`);
    }
    return work();
  }

  /** The bytes in memory of their own, as they arrive over a connection. */
  #lent(reply: { results: GetResult[] }): { results: GetResult[] } {
    const bytes: Uint8Array[] = [];
    const results = reply.results.map((result) => {
      if (result.state !== 'present' || result.data === undefined) return result;
      const data = Uint8Array.from(result.data);
      if (this.fault === 'lying' && data.length > 0) data[0] = (data[0] ?? 0) ^ 1;
      bytes.push(data);
      return { ...result, data };
    });
    giveBack(reply);
    return bytes.length === 0 ? { results } : this.lender.lend({ results }, bytes);
  }

  #status(status: StoreStatus): StoreStatus {
    return {
      ...status,
      clusterId: this.claimedClusterId ?? status.clusterId,
      freeBytes: 1e12,
      totalBytes: 2e12,
      diskId: this.name,
      trouble: this.trouble,
      reason: this.trouble ?? '',
    };
  }
}

function nameOf(number: number): string {
  return `data${number}`;
}

function openStore(number: number, runtime: Runtime): Promise<Dataserver> {
  return openDataserver(
    { name: nameOf(number), number, directory: '/store', testHooks: true, segmentBytes: 2 ** 20, reserveBytes: 0 },
    { ...runtime, disk: new MemoryDisk().mount(), log: silentLog },
    memoryIndexFactory(),
    { terminate() {}, restart() {} },
  );
}
