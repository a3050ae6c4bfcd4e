// The services of a data server whose store is still being opened: calls wait,
// and go through once it is open.
import { ServiceError } from '../protocol/errors.js';
import type { XmlRpcMethods, XmlRpcValue } from '../protocol/http/xml-rpc.js';
import type { BlockService, HookService } from '../protocol/services/blocks.js';
import type { Dataserver } from './dataserver.js';
import type { DataserverMethods } from './xml-rpc.js';

export class Opening {
  #opened: Dataserver | undefined;
  #settle: { resolve: (dataserver: Dataserver) => void; reject: (error: Error) => void } | undefined;
  /** Why the store is not open yet. */
  detail = 'the store is being opened';
  dataserver = this.#attempt();

  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  opened(dataserver: Dataserver): void {
    this.#opened = dataserver;
    this.#settle?.resolve(dataserver);
  }

  /** Fails the calls that wait. Later ones wait for the next attempt. */
  refuse(detail: string): void {
    this.detail = detail;
    this.failed(new ServiceError('FAILED', detail));
    this.dataserver = this.#attempt();
  }

  failed(error: Error): void {
    this.#settle?.reject(error);
  }

  readonly blocks: BlockService = {
    put: (request, options) => this.#whenOpen(({ blocks }) => blocks.put(request, options)),
    get: (request, options) => this.#whenOpen(({ blocks }) => blocks.get(request, options)),
    delete: (request, options) => this.#whenOpen(({ blocks }) => blocks.delete(request, options)),
    list: (request, options) => this.#whenOpen(({ blocks }) => blocks.list(request, options)),
    flush: (request, options) => this.#whenOpen(({ blocks }) => blocks.flush(request, options)),
    status: (request, options) => this.#whenOpen(({ blocks }) => blocks.status(request, options)),
    adopt: (request, options) => this.#whenOpen(({ blocks }) => blocks.adopt(request, options)),
  };

  readonly hooks: HookService = {
    corrupt: (request) => this.#whenOpen(({ hooks }) => hooks.corrupt(request)),
    terminate: (request) => this.#whenOpen(({ hooks }) => hooks.terminate(request)),
    restart: (request) => this.#whenOpen(({ hooks }) => hooks.restart(request)),
  };

  readonly xmlRpc: XmlRpcMethods = {
    put: (...parameters) => this.#xmlRpc('put', parameters),
    get: (...parameters) => this.#xmlRpc('get', parameters),
    list_contents: (...parameters) => this.#xmlRpc('list_contents', parameters),
    corrupt: (...parameters) => this.#xmlRpc('corrupt', parameters),
    terminate: (...parameters) => this.#xmlRpc('terminate', parameters),
    restart: (...parameters) => this.#xmlRpc('restart', parameters),
    ping: (...parameters) => this.#xmlRpc('ping', parameters),
  };

  #xmlRpc(name: keyof DataserverMethods, parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
    return this.#whenOpen(({ xmlRpc }) => xmlRpc[name](...parameters));
  }

  #attempt(): Promise<Dataserver> {
    const attempt = new Promise<Dataserver>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // runDataserver reports a failed opening. This keeps the promise from counting as unhandled when no call waits for it.
    attempt.catch(() => undefined);
    return attempt;
  }

  /** Once the store is open, calls go through without another promise: this is on the way of every block. */
  #whenOpen<T>(use: (dataserver: Dataserver) => Promise<T>): Promise<T> {
    return this.#opened === undefined ? this.dataserver.then(use) : use(this.#opened);
  }
}
