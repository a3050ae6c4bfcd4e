// What a data server is told at its start.
import type { StoreOptions } from './store.js';

export interface DataserverOptions extends StoreOptions {
  /** The configured name: data1 … */
  name: string;
  /** Its place among the data servers, from 1: appears in what the corrupt hook writes. */
  number: number;
  /** Whether the hooks that destroy may be used. */
  testHooks: boolean;
}

/** How the hooks end the process; the simulation crashes the node instead. */
export interface DataserverExits {
  terminate(): void;
  restart(blank: boolean): void;
}
