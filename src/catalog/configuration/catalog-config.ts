// The configuration of a catalog, the same on every host.
import type { CatalogProtocol } from '../catalog.js';

export interface CatalogServerConfig {
  readonly name: string;
  /** HOST:PORT */
  readonly address: string;
  /** Absolute; undefined where nothing is kept on a disk. */
  readonly directory?: string;
}

export interface CatalogConfig {
  readonly cluster: string;
  readonly protocol: CatalogProtocol;
  readonly servers: readonly CatalogServerConfig[];
  /** Nothing is kept on a disk. */
  readonly memory: boolean;
  readonly secret?: string;
  readonly heartbeatMs: number;
  readonly electionTimeoutMs: number;
  /** quorum: how often a server compares with another one. */
  readonly gossipMs: number;
  /** quorum: how many servers are read, and written; a majority when absent. */
  readonly readQuorum?: number;
  readonly writeQuorum?: number;
  /** Blocks lie in the nmrfs of the mediator at this address. */
  readonly blocks?: string;
  readonly testHooks: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}
