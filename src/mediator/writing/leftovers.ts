// Leftovers: new versions of writes that failed. They are deleted again, from
// servers that can't be reached as soon as they are back: those may have stored
// them before they were lost. What a mediator that ends leaves, a scrub removes.
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import { forgetVersions } from '../replicas/forget.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';

/** Per server: a client that tries for hours to write while a server is away must not fill the memory. */
const MAXIMUM_VERSIONS = 100_000;

export class Leftovers {
  /** What is to be deleted when the replica is back. */
  readonly #versions = new Map<Replica, BlockKey[]>();

  readonly #metadata: MetadataService;
  readonly #runtime: Runtime;

  constructor(metadata: MetadataService, replicas: ReplicaSet, runtime: Runtime) {
    this.#metadata = metadata;
    this.#runtime = runtime;
    replicas.onChange((replica) => {
      const versions = this.#versions.get(replica);
      if (!replica.reachable || versions === undefined) return;
      this.#versions.delete(replica);
      this.takeBack([replica], versions);
    });
  }

  /** Deletes versions that no block map names from these replicas, in the background. */
  takeBack(replicas: readonly Replica[], versions: readonly BlockKey[]): void {
    for (const replica of replicas) {
      forgetVersions(this.#metadata, [replica], versions).catch((error: unknown) => {
        this.#runtime.log.debug('write.takeBackFailed', { server: replica.name, ...errorFields(error) });
        const kept = [...(this.#versions.get(replica) ?? []), ...versions];
        this.#versions.set(replica, kept.slice(-MAXIMUM_VERSIONS));
      });
    }
  }
}
