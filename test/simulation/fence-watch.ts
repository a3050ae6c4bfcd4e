// Sees whether a data server keeps to its promise: from the moment that it has heard of
// a mediator, it does nothing for earlier ones. The simulation has to look for itself,
// since nobody else would notice: what an earlier mediator stores can't be committed, what
// it deletes is named by no block map, and what it reads it does not answer, all of which
// metaservers and the mediator's own lease see to. This fence is there for when these fail.
import type { BlockService } from '../../src/protocol/services/blocks.js';
import type { CallOptions } from '../../src/protocol/services/service.js';

export class FenceWatch {
  readonly #epochs = new WeakMap<object, number>();
  #newest = 0;

  readonly #violation: (message: string) => void;

  constructor(violation: (message: string) => void) {
    this.#violation = violation;
  }

  /** The service of one process. */
  over(blocks: BlockService): BlockService {
    const watched =
      <Request, Result>(name: string, method: (request: Request, options?: CallOptions) => Promise<Result>) =>
      async (request: Request, options?: CallOptions): Promise<Result> => {
        const newest = this.#newest;
        const result = await method(request, options);
        const epoch = options?.peer === undefined ? newest : (this.#epochs.get(options.peer) ?? 0);
        if (epoch < newest)
          this.#violation(`carried out ${name} for the mediator of epoch ${epoch}, after that of ${newest}`);
        return result;
      };
    return {
      put: watched('put', blocks.put),
      get: watched('get', blocks.get),
      delete: watched('delete', blocks.delete),
      list: watched('list', blocks.list),
      flush: watched('flush', blocks.flush),
      adopt: watched('adopt', blocks.adopt),
      status: (request, options) => {
        const { epoch } = request;
        if (epoch === undefined) return blocks.status(request, options);
        if (options?.peer !== undefined) this.#epochs.set(options.peer, epoch);
        this.#newest = Math.max(this.#newest, epoch);
        return watched('status', blocks.status)(request, options);
      },
    };
  }
}
