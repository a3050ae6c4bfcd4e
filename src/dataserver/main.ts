// A data server on its own address. It listens before it opens its store, so
// that a second process for the same address is stopped by the address in use
// before it touches files that the first one writes.
import { RESTART_BLANK_STATUS, RESTART_STATUS, TERMINATE_STATUS } from '../protocol/exit-status.js';
import { serve } from '../protocol/http/server.js';
import type { XmlRpcMethods, XmlRpcValue } from '../protocol/http/xml-rpc.js';
import type { BlockService, HookService } from '../protocol/services/blocks.js';
import { asError } from '../runtime/caught-errors.js';
import type { Runtime } from '../runtime/runtime.js';
import { type Dataserver, openDataserver } from './dataserver.js';
import { wipeStore } from './identity.js';
import type { IndexFactory } from './index/index-store.js';
import type { DataserverExits, DataserverOptions } from './options.js';
import type { DataserverMethods } from './xml-rpc.js';

export interface RunDataserverOptions extends DataserverOptions {
  /** HOST:PORT; port 0 takes a free one. */
  address: string;
  /** The same services on a Unix-domain socket, besides. */
  unixPath?: string;
  /** The cluster's secret, when it has one. */
  secret?: string;
  /** Wipes the store first. */
  blank: boolean;
  /** Where the index is kept; LMDB when absent. The simulation passes its own. */
  index?: IndexFactory;
  /** What the terminate and restart hooks do; ends the process when absent. */
  exits?: DataserverExits;
}

export interface RunningDataserver {
  /** With the real port. */
  readonly address: string;
  /** Stops serving, then makes everything stored durable. */
  close(): Promise<void>;
}

const PROCESS_EXITS: DataserverExits = {
  terminate: () => process.exit(TERMINATE_STATUS),
  restart: (blank) => process.exit(blank ? RESTART_BLANK_STATUS : RESTART_STATUS),
};

/** Resolves when the store is open and served. */
export async function runDataserver(options: RunDataserverOptions, runtime: Runtime): Promise<RunningDataserver> {
  const opening = new Opening();
  const server = await serve(
    {
      address: options.address,
      services: { blocks: opening.blocks, hooks: opening.hooks },
      // A put has copied everything to the disk when it answers.
      transient: ['blocks.put'],
      xmlRpc: opening.xmlRpc,
      metrics: async () => (await opening.dataserver).metrics(),
      health: () => (opening.isOpen ? { healthy: true } : { healthy: false, detail: 'the store is being opened' }),
      ...(options.unixPath === undefined ? {} : { unixPath: options.unixPath }),
      ...(options.secret === undefined ? {} : { secret: options.secret }),
    },
    runtime,
  );
  try {
    if (options.blank) {
      await wipeStore(options.directory, runtime);
      runtime.log.info('store.wiped', { directory: options.directory });
    }
    // Only loaded where it is used: the simulation runs without its native part.
    const index = options.index ?? (await import('./index/lmdb-index.js')).lmdbIndex;
    const dataserver = await openDataserver(options, runtime, index, options.exits ?? PROCESS_EXITS);
    opening.opened(dataserver);
    runtime.log.info('server.ready', { name: options.name, address: server.address });
    return {
      address: server.address,
      async close() {
        await server.close();
        await dataserver.close();
      },
    };
  } catch (error) {
    opening.failed(asError(error));
    await server.close();
    throw error;
  }
}

/** Services whose calls wait until the store is open. */
class Opening {
  #opened: Dataserver | undefined;
  #settle: { resolve: (dataserver: Dataserver) => void; reject: (error: Error) => void } | undefined;
  readonly dataserver = new Promise<Dataserver>((resolve, reject) => {
    this.#settle = { resolve, reject };
  });

  constructor() {
    // Whoever opens the store reports that it failed; here it only concerns calls that wait.
    this.dataserver.catch(() => undefined);
  }

  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  opened(dataserver: Dataserver): void {
    this.#opened = dataserver;
    this.#settle?.resolve(dataserver);
  }

  failed(error: Error): void {
    this.#settle?.reject(error);
  }

  readonly blocks: BlockService = {
    put: (request) => this.#whenOpen(({ blocks }) => blocks.put(request)),
    get: (request) => this.#whenOpen(({ blocks }) => blocks.get(request)),
    delete: (request) => this.#whenOpen(({ blocks }) => blocks.delete(request)),
    list: (request) => this.#whenOpen(({ blocks }) => blocks.list(request)),
    flush: (request) => this.#whenOpen(({ blocks }) => blocks.flush(request)),
    status: (request) => this.#whenOpen(({ blocks }) => blocks.status(request)),
    adopt: (request) => this.#whenOpen(({ blocks }) => blocks.adopt(request)),
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

  /** Without waiting once it is: this is on the way of every block. */
  #whenOpen<T>(use: (dataserver: Dataserver) => Promise<T>): Promise<T> {
    return this.#opened === undefined ? this.dataserver.then(use) : use(this.#opened);
  }
}
