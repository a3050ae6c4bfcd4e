// A data server without its network: BlockService and HookService over one
// store. It knows no other server, and checks everything that it is sent.
import { malformed, ServiceError } from '../protocol/errors.js';
import type { BlockService, HookService, PutItem, StoreStatus } from '../protocol/services/blocks.js';
import { Fence } from '../protocol/services/fence.js';
import type { CallOptions } from '../protocol/services/service.js';
import { giveBack, lend } from '../protocol/wire/lent.js';
import { sparingRepetitions } from '../runtime/repeated-log.js';
import type { Runtime } from '../runtime/runtime.js';
import { checkCursor, checkGet, checkItems, checkKey, checkPut, checkWhole } from './checks.js';
import { hooksOf } from './hooks.js';
import type { IndexFactory } from './index/index-store.js';
import { Metrics } from './metrics.js';
import { openStore } from './open-store.js';
import type { DataserverExits, DataserverOptions } from './options.js';
import type { Store } from './store.js';
import { type DataserverMethods, dataserverMethods } from './xml-rpc.js';

export interface Dataserver {
  readonly blocks: BlockService;
  readonly hooks: HookService;
  readonly xmlRpc: DataserverMethods;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** Resolves when no compaction is under way or due. */
  compacting(): Promise<void>;
  /** Everything stored is durable when it resolves. */
  close(): Promise<void>;
}

/** A cluster's id is random hexadecimal; anything of a sane length is taken. */
const MAXIMUM_CLUSTER_ID_CHARACTERS = 256;

/** Events that retries on a failing disk would log again and again: see runtime/repeated-log.ts. */
const LOOPS = [
  'segment.write_failed',
  'segment.cut_failed',
  'segment.sync_failed',
  'segment.unsafe_not_kept',
  'index.save_failed',
  'compaction.failed',
  'tombstones.dropped',
  'mediator.fenced',
];

/** Opens the store, making it at the first start. Fails when what is in the folder can't be used. */
export async function openDataserver(
  options: DataserverOptions,
  given: Runtime,
  index: IndexFactory,
  exits: DataserverExits,
): Promise<Dataserver> {
  const runtime = sparingRepetitions(given, LOOPS);
  const store = await openStore(options, runtime, index);
  const metrics = new Metrics(store);
  const fence = new Fence(runtime.log);
  const blocks = blocksOf({ name: options.name, store, metrics, fence });
  const hooks = hooksOf(options, store, runtime.clock, exits);
  runtime.log.info('store.opened', {
    blocks: store.blocks,
    storedBytes: store.storedBytes,
    storeId: store.identity.storeId,
  });
  let closing: Promise<void> | null = null;
  return {
    blocks,
    hooks,
    xmlRpc: dataserverMethods(store, blocks, hooks),
    metrics: () => metrics.text(),
    compacting: () => store.compacting(),
    close() {
      closing ??= store.close();
      return closing;
    },
  };
}

interface BlockParts {
  name: string;
  store: Store;
  metrics: Metrics;
  fence: Fence;
}

// Every member of a served object can be called over the network: this one has the service's members and no others.
function blocksOf({ name, store, metrics, fence }: BlockParts): BlockService {
  const admit = (options: CallOptions | undefined): void => fence.check(options?.peer, store.identity.epoch);
  const status = async (): Promise<StoreStatus> => {
    const { blocks, bytes, storedBytes, identity } = store;
    const { storeId, clusterId } = identity;
    return { name, clusterId, storeId, blocks, bytes, storedBytes, ...(await store.space()) };
  };
  const introduce = async (epoch: number, clusterId: unknown, options: CallOptions | undefined): Promise<void> => {
    checkWhole('epoch', epoch, 1);
    // The epochs of another cluster say nothing here: its mediator sees whose store this is, and goes.
    const owner = store.identity.clusterId;
    if (owner !== null && owner !== clusterId) return;
    if (options?.peer !== undefined) fence.introduce(options.peer, epoch);
    admit(options);
    await store.noteEpoch(epoch);
  };
  return {
    async put({ items, durable, replace }, options) {
      admit(options);
      for (const item of checkItems(items)) checkPut(item);
      const put = (item: PutItem) => store.put(item, durable === true, replace === true);
      const [first] = items;
      const results =
        first !== undefined && items.length === 1 ? [await put(first)] : await Promise.all(items.map(put));
      metrics.puts(results);
      return { results };
    },

    async get({ items }, options) {
      admit(options);
      for (const item of checkItems(items)) checkGet(item);
      const results = await store.get(items);
      metrics.gets(results);
      return lend({ results }, () => {
        for (const result of results)
          if (result.state === 'present' && result.data !== undefined) giveBack(result.data);
      });
    },

    async delete({ items }, options) {
      admit(options);
      return { deleted: await store.delete(checkItems(items).map(checkKey)) };
    },

    async list({ after, limit }, options) {
      admit(options);
      checkWhole('limit', limit, 1);
      return store.list(after === undefined ? undefined : checkCursor(after), limit);
    },

    async flush(_request, options) {
      admit(options);
      await store.flush();
      return {};
    },

    async status({ epoch, clusterId }, options) {
      if (epoch !== undefined) await introduce(epoch, clusterId, options);
      return status();
    },

    async adopt({ clusterId }, options) {
      admit(options);
      if (typeof clusterId !== 'string' || clusterId === '' || clusterId.length > MAXIMUM_CLUSTER_ID_CHARACTERS) {
        throw malformed('clusterId must be a text of 1 to 256 characters');
      }
      const owner = store.identity.clusterId;
      if (owner === null) await store.adopt(clusterId);
      else if (owner !== clusterId)
        throw new ServiceError('REFUSED', `${name} belongs to cluster ${owner}, not ${clusterId}`);
      return status();
    },
  };
}
