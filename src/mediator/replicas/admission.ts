// Admits a data server whose connection is up: it must be the right server of
// the right cluster, and its store is compared with the one that the metaserver
// has on record. Must never admit a server of another cluster, nor take an
// unknown store for complete.
import { asWrongServer, ServiceError } from '../../protocol/errors.js';
import type { DataServerState } from '../../protocol/services/admin.js';
import type { StoreStatus } from '../../protocol/services/blocks.js';
import type { MetadataService, ServerRecord } from '../../protocol/services/metadata.js';
import { assert } from '../../runtime/assert.js';
import { errorFields, hasCode, messageOf } from '../../runtime/caught-errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Tenure } from '../epochs/tenure.js';
import type { Replica } from './replica.js';

interface Dependencies {
  metadata: MetadataService;
  deadlineMs: number;
  tenure?: Tenure | undefined;
  runtime: Runtime;
}

export class Admission {
  readonly #underWay = new Map<Replica, Promise<void>>();

  readonly #metadata: MetadataService;
  readonly #deadlineMs: number;
  readonly #tenure: Tenure | undefined;
  readonly #runtime: Runtime;

  constructor({ metadata, deadlineMs, tenure, runtime }: Dependencies) {
    this.#metadata = metadata;
    this.#deadlineMs = deadlineMs;
    this.#tenure = tenure;
    this.#runtime = runtime;
  }

  /** Sets the replica's state; never rejects. One attempt at a time per server: further calls wait for it. */
  admit(replica: Replica, clusterId: string): Promise<void> {
    assert(clusterId !== '', 'a data server is admitted before the cluster id is known');
    const underWay = this.#underWay.get(replica);
    if (underWay !== undefined) return underWay;
    const admission = this.#tryToAdmit(replica, clusterId)
      .catch((error: unknown) => {
        this.#runtime.log.warn('replica.refused', { server: replica.name, ...errorFields(error) });
        replica.refusal = messageOf(error);
        replica.state = 'down';
      })
      .finally(() => this.#underWay.delete(replica));
    this.#underWay.set(replica, admission);
    return admission;
  }

  /** The replica's store holds every block: the metaserver notes it, and the replica counts as up from now on. */
  async markComplete(replica: Replica): Promise<void> {
    if (replica.store === null) return;
    await this.#register({ name: replica.name, storeId: replica.store.storeId, state: 'complete' });
    replica.rebuild = null;
    // Meanwhile it may have gone down, or be back with another store.
    if (replica.state === 'rebuilding') replica.state = 'up';
  }

  async #tryToAdmit(replica: Replica, clusterId: string): Promise<void> {
    const { losses } = replica;
    const { store, state } = await this.#examine(replica, clusterId);
    if (replica.losses !== losses) {
      // Behind the next connection may be another store, and it has not been said over it who asks.
      if (replica.remote.state !== 'up') throw new ServiceError('UNREACHABLE', `${replica.name} was lost meanwhile`);
      return this.#tryToAdmit(replica, clusterId);
    }
    replica.store = store;
    replica.refusal = null;
    replica.state = state;
  }

  async #examine(replica: Replica, clusterId: string): Promise<{ store: StoreStatus; state: DataServerState }> {
    const store = await this.#identify(replica, clusterId);
    const { servers } = await this.#metadata.query({ name: 'servers', request: {} });
    const record = servers.find((server) => server.name === replica.name);
    const { blocks } = await this.#metadata.query({ name: 'statistics', request: {} });
    if (record?.storeId === store.storeId && (store.blocks > 0 || blocks === 0)) {
      return { store, state: record.state === 'rebuilding' ? 'rebuilding' : 'up' };
    }
    const state = blocks === 0 ? 'complete' : 'rebuilding';
    await this.#register({ name: replica.name, storeId: store.storeId, state });
    return { store, state: blocks === 0 ? 'up' : 'blank' };
  }

  /** Says who asks. Checks name and cluster; a store of no cluster yet becomes one of this cluster. */
  async #identify(replica: Replica, clusterId: string): Promise<StoreStatus> {
    const request = this.#tenure === undefined ? {} : { epoch: this.#tenure.epoch, clusterId };
    let store = await replica.blocks.status(request, { deadlineMs: this.#deadlineMs }).catch((error: unknown) => {
      if (hasCode(error, 'FENCED')) this.#tenure?.doubt();
      throw asWrongServer(error, 'data server', replica.address);
    });
    if (store.name !== replica.name) {
      throw new ServiceError('REFUSED', `the server at ${replica.address} calls itself ${store.name}`);
    }
    if (store.clusterId === null) {
      store = await replica.blocks.adopt({ clusterId }, { deadlineMs: this.#deadlineMs });
    }
    if (store.clusterId !== clusterId) {
      throw new ServiceError('REFUSED', `its store belongs to cluster ${store.clusterId}, this is ${clusterId}`);
    }
    return store;
  }

  async #register(request: ServerRecord): Promise<void> {
    const timeNs = this.#runtime.clock.nowNs();
    await this.#metadata.execute({ name: 'registerServer', timeNs, request, durable: true });
  }
}
