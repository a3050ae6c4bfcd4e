// A data server on its own address. It listens before it opens its store, so
// that a second process for the same address is stopped by the address in use
// before it touches files that the first one writes.
import { RESTART_BLANK_STATUS, RESTART_STATUS, TERMINATE_STATUS } from '../protocol/exit-status.js';
import { serve } from '../protocol/http/server.js';
import { asError } from '../runtime/caught-errors.js';
import { sleep } from '../runtime/clock.js';
import { diskTrouble } from '../runtime/disk-trouble.js';
import type { Runtime } from '../runtime/runtime.js';
import { type Dataserver, openDataserver } from './dataserver.js';
import { wipeStore } from './identity.js';
import type { IndexFactory } from './index/index-store.js';
import { Opening } from './opening.js';
import type { DataserverExits, DataserverOptions } from './options.js';

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

/** How often a disk that was read-only is tried again. */
const READ_ONLY_RETRY_MS = 500;

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
      health: () => (opening.isOpen ? { healthy: true } : { healthy: false, detail: opening.detail }),
      ...(options.unixPath === undefined ? {} : { unixPath: options.unixPath }),
      ...(options.secret === undefined ? {} : { secret: options.secret }),
    },
    runtime,
  );
  try {
    const dataserver = await openWhenWritable(options, runtime, opening);
    opening.opened(dataserver);
    runtime.log.info('server.ready', { address: server.address });
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

/**
 * Opens the store. A read-only disk can't have one open, since an index must be brought up to date: then waits until the disk
 * takes writes, and calls fail with the reason meanwhile.
 */
async function openWhenWritable(
  options: RunDataserverOptions,
  runtime: Runtime,
  opening: Opening,
): Promise<Dataserver> {
  const { directory, blank } = options;
  // Imported only when it is used: the simulation runs without LMDB's native part.
  const index = options.index ?? (await import('./index/lmdb-index.js')).lmdbIndex;
  for (let isFirst = true; ; isFirst = false) {
    try {
      if (blank) {
        await wipeStore(directory, runtime);
        runtime.log.info('store.wiped', { directory });
      }
      return await openDataserver(options, runtime, index, options.exits ?? PROCESS_EXITS);
    } catch (error) {
      if (!(error instanceof Error) || diskTrouble(error) !== 'read-only') throw error;
      if (isFirst) runtime.log.error('store.read_only', { directory, reason: error.message });
      opening.refuse(`the store is on a read-only disk, and is opened when that takes writes: ${error.message}`);
      await sleep(runtime.clock, READ_ONLY_RETRY_MS);
    }
  }
}
