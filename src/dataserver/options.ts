// What a data server is told at its start.

export interface StoreOptions {
  directory: string;
  /** A segment is closed when it has grown to this. Default 64 MiB. */
  segmentBytes?: number;
  /** Free space on the disk that puts leave alone. Default: one segment. */
  reserveBytes?: number;
  /** Shorter reads always go through the system's page cache. Default 256 KiB. */
  directReadBytes?: number;
  /** Smaller appends go through the cache too. Default 256 KiB. */
  directAppendBytes?: number;
}

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
