// The configuration of a catalog, the same on every host: YAML of our own, or SurfStore's text. Pure: text in, a checked value or
// clear errors out.
import { dirname, resolve } from 'node:path';
import { ConfigError } from '../../config.js';
import type { CatalogProtocol } from '../catalog.js';
import { isSurfStoreText, readSurfStoreText } from './surfstore-text.js';
import { readYaml } from './yaml-form.js';

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

/**
 * @param file absolute, for messages and relative paths
 * @param secret of the environment, for a form that has no place for it
 * @throws ConfigError with a line per problem, each naming the line of the file
 */
export function parseCatalogConfig(text: string, file: string, secret?: string): CatalogConfig {
  const config = isSurfStoreText(text) ? readSurfStoreText(text, file, secret) : readYaml(text, file);
  const place = (server: CatalogServerConfig): CatalogServerConfig =>
    server.directory === undefined ? server : { ...server, directory: resolve(dirname(file), server.directory) };
  return { ...config, servers: config.servers.map(place) };
}

/** @param id a name, or a number: from 0 in SurfStore's form, whose names end with it, else from 1 */
export function serverWithId(config: CatalogConfig, id: string): CatalogServerConfig {
  const { servers } = config;
  const isCountedFromZero = servers[0]?.name === 'metadata0';
  const number = /^\d{1,4}$/.test(id) ? Number(id) - (isCountedFromZero ? 0 : 1) : undefined;
  const server = servers.find(({ name }) => name === id) ?? (number === undefined ? undefined : servers[number]);
  if (server !== undefined) return server;
  const [first, last] = isCountedFromZero ? [0, servers.length - 1] : [1, servers.length];
  throw new ConfigError([
    `${id}: there is no such server; there are ${servers.map(({ name }) => name).join(', ')}, or ${first} to ${last}`,
  ]);
}
