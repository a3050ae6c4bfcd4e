// Reads the configuration of a catalog: YAML of our own, or SurfStore's text. Pure: text in, a checked value or clear errors out.
import { dirname, resolve } from 'node:path';
import { ConfigError } from '../../config.js';
import type { CatalogConfig, CatalogServerConfig } from './catalog-config.js';
import { isSurfStoreText, readSurfStoreText } from './surfstore-text.js';
import { readYaml } from './yaml-form.js';

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
