// A data server in memory with faults to switch, behind the Remote interface:
// for tests of the mediator that need no disk and no network.
import { ServiceError } from '../../src/protocol/errors.js';
import type {
  BlockKey,
  BlockService,
  GetItem,
  GetResult,
  HookService,
  ListEntry,
  PutItem,
  PutResult,
  StoreStatus,
} from '../../src/protocol/services/blocks.js';
import type { CallOptions } from '../../src/protocol/services/service.js';
import { hashBlock, hashPages } from '../../src/protocol/values/hash.js';
import type { Remote, RemoteState } from '../../src/protocol/wire/client.js';
import { Lender } from './lender.js';

/** Of calls that name none, as a Remote has one. */
const DEADLINE_MS = 300;

const keyOf = ({ inode, index, version }: BlockKey) => `${inode}/${index}/${version}`;

export class FakeReplica {
  readonly stored = new Map<string, BlockKey & { data: Uint8Array }>();
  /** crashed: calls fail at once; hung: they never end; lying: it sends other bytes than it votes for; full: no room. */
  fault: 'none' | 'crashed' | 'hung' | 'lying' | 'full' = 'none';
  storeId: string;
  /** What it says of its disk. */
  trouble: StoreStatus['trouble'] = null;
  clusterId: string | null = null;
  /** Calls by method. */
  readonly calls = new Map<string, number>();
  /** What a put waits for. */
  beforePut: (items: readonly PutItem[]) => Promise<unknown> | undefined = () => undefined;
  /** Of the bytes that gets answer. */
  readonly lender = new Lender();
  /** Puts that were under way at the same time. */
  mostPutsAtOnce = 0;
  #putsUnderWay = 0;
  #state: RemoteState = 'up';
  readonly #listeners: ((state: RemoteState) => void)[] = [];

  constructor(readonly name: string) {
    this.storeId = `store of ${name}`;
  }

  readonly remote: Remote = {
    service: <T>(name: string): T => (name === 'blocks' ? this.blocks : this.hooks) as T,
    state: 'up',
    onStateChange: (listener) => {
      this.#listeners.push(listener);
    },
    close: async () => {},
  };

  crash(): void {
    this.fault = 'crashed';
    this.#become('down');
  }

  /** As a process does that answers before it ends, and takes its time to come back. */
  restartSoon(blank: boolean): void {
    setTimeout(() => {
      this.crash();
      setTimeout(() => this.restart(blank), 20);
    }, 5);
  }

  /** Comes back with its store, or with an empty one. */
  restart(blank = false): void {
    this.fault = 'none';
    if (blank) {
      this.stored.clear();
      this.storeId = `${this.storeId}, again`;
      this.clusterId = null;
    }
    this.#become('up');
  }

  /** Replaces the content of every version of a block by text that names this server. */
  corrupt(inode: number, index: number): void {
    for (const entry of this.stored.values()) {
      if (entry.inode === inode && entry.index === index) entry.data = Buffer.from(`corrupted on ${this.name}`);
    }
  }

  /** key → content, in hexadecimal, for comparing replicas. */
  contents(): Record<string, string> {
    const entries = [...this.stored].map(([key, { data }]) => [key, Buffer.from(data).toString('hex')] as const);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  readonly blocks: BlockService = {
    put: async ({ items, replace }, options) => {
      this.mostPutsAtOnce = Math.max(this.mostPutsAtOnce, ++this.#putsUnderWay);
      try {
        await this.beforePut(items);
        const answer = () => ({ results: items.map((item) => this.#put(item, replace ?? false)) });
        return await this.#answer('put', options, answer);
      } finally {
        this.#putsUnderWay--;
      }
    },
    get: ({ items }, options) => this.#answer('get', options, () => this.#lent(items.map((item) => this.#get(item)))),
    delete: ({ items }, options) =>
      this.#answer('delete', options, () => ({
        deleted: items.filter((item) => this.stored.delete(keyOf(item))).length,
      })),
    list: ({ after, limit }, options) => this.#answer('list', options, () => this.#list(after, limit)),
    flush: (_request, options) => this.#answer('flush', options, () => ({})),
    status: (_request, options) => this.#answer('status', options, () => this.#status()),
    adopt: ({ clusterId }, options) =>
      this.#answer('adopt', options, () => {
        this.clusterId = clusterId;
        return this.#status();
      }),
  };

  readonly hooks: HookService = {
    corrupt: ({ inode, index }, options) =>
      this.#answer('corrupt', options, () => {
        this.corrupt(inode, index);
        return {};
      }),
    terminate: (_request, options) => this.#answer('terminate', options, () => ({})),
    restart: ({ blank }, options) =>
      this.#answer('restart', options, () => {
        this.restartSoon(blank);
        return {};
      }),
  };

  #become(state: RemoteState): void {
    if (this.#state === state) return;
    this.#state = state;
    Object.assign(this.remote, { state });
    for (const listener of this.#listeners) listener(state);
  }

  async #answer<T>(method: string, options: CallOptions | undefined, work: () => T): Promise<T> {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    if (this.fault === 'crashed') throw new ServiceError('UNREACHABLE', `${this.name} is down`);
    if (this.fault === 'hung') {
      await new Promise((resolve) => setTimeout(resolve, options?.deadlineMs ?? DEADLINE_MS));
      throw new ServiceError('DEADLINE', `${this.name} hangs`);
    }
    return work();
  }

  #put(item: PutItem, replace: boolean): PutResult {
    if (this.fault === 'full') return { state: 'full' };
    const { inode, index, version } = item;
    const key = keyOf(item);
    const there = this.stored.get(key);
    if (there !== undefined && !replace) return { state: 'stored', hash: hashBlock(there.data) };
    if ('data' in item) {
      this.stored.set(key, { inode, index, version, data: Uint8Array.from(item.data) });
      return { state: 'stored', hash: hashBlock(item.data) };
    }
    const base = this.stored.get(keyOf({ inode, index, version: item.base }));
    if (base === undefined) return { state: 'no-base' };
    if (hashBlock(base.data) !== item.baseHash) return { state: 'bad-base' };
    const data = new Uint8Array(item.length);
    data.set(base.data.subarray(0, item.length));
    for (const write of item.writes) data.set(write.data, write.offset);
    this.stored.set(key, { inode, index, version, data });
    return { state: 'stored', hash: hashBlock(data) };
  }

  #get(item: GetItem): GetResult {
    const entry = this.stored.get(keyOf(item));
    if (entry === undefined) return { state: 'absent' };
    const hash = hashBlock(entry.data);
    const length = entry.data.length;
    if (!item.data) return { state: 'present', hash, length };
    const data = Uint8Array.from(entry.data.subarray(item.offset, item.offset + item.length));
    if (this.fault === 'lying' && data.length > 0) data[0] = (data[0] ?? 0) ^ 1;
    return { state: 'present', hash, length, data, pageHashes: hashPages(entry.data) };
  }

  #lent(results: GetResult[]): { results: GetResult[] } {
    const bytes = results.flatMap((result) => (result.state === 'present' && result.data ? [result.data] : []));
    return bytes.length === 0 ? { results } : this.lender.lend({ results }, bytes);
  }

  #list(after: BlockKey | undefined, limit: number): { entries: ListEntry[]; next?: BlockKey } {
    const order = (a: BlockKey, b: BlockKey) => a.inode - b.inode || a.index - b.index || a.version - b.version;
    const all = [...this.stored.values()].sort(order).filter((entry) => after === undefined || order(entry, after) > 0);
    const entries = all.slice(0, limit).map(({ inode, index, version, data }) => ({
      inode,
      index,
      version,
      length: data.length,
      hash: hashBlock(data),
      modifiedNs: 0n,
    }));
    const last = entries.at(-1);
    if (all.length <= limit || last === undefined) return { entries };
    return { entries, next: { inode: last.inode, index: last.index, version: last.version } };
  }

  #status(): StoreStatus {
    let bytes = 0;
    for (const { data } of this.stored.values()) bytes += data.length;
    return {
      name: this.name,
      clusterId: this.clusterId,
      storeId: this.storeId,
      blocks: this.stored.size,
      bytes,
      storedBytes: bytes,
      freeBytes: 1e12,
      totalBytes: 2e12,
      diskId: this.name,
      trouble: this.trouble,
      reason: this.trouble ?? '',
    };
  }
}
