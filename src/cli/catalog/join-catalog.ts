// Starts a server that comes into a catalog which is there already: one address of a living server is all that it must know.
import { resolve } from 'node:path';
import type { CatalogServerConfig } from '../../catalog/configuration/catalog-config.js';
import type { SharedConfiguration } from '../../catalog/main.js';
import { isLoopback, parseAddress } from '../../config/values.js';
import { CommandFailure, usageError } from '../failure.js';
import { CatalogClient } from './catalog-client.js';
import { serve, type Telling } from './serve-catalog.js';

export interface Newcomer {
  readonly name: string;
  readonly address: string;
  readonly directory: string | undefined;
}

export async function joinCatalog(
  living: string,
  { name, address, directory }: Newcomer,
  telling: Telling,
): Promise<void> {
  const parsed = parseAddress(address);
  const secret = process.env.NMRFS_SECRET;
  if (parsed === undefined || parsed.port === 0) throw usageError(`${address} must be HOST:PORT`);
  if (!isLoopback(parsed.host) && secret === undefined) {
    throw usageError(
      `${address} can be reached from other hosts: a secret is needed, in the environment variable NMRFS_SECRET`,
    );
  }
  const { status, content } = await new CatalogClient([living], secret).request('GET', '/configuration');
  if (status !== 200) throw new CommandFailure(`${living}: ${String(content.message ?? status)}`);
  const shared = content as unknown as SharedConfiguration;
  if (!shared.memory && directory === undefined)
    throw usageError('this catalog keeps its data on disks: a directory is needed');
  const taken = shared.servers.find((other) => other.name === name && other.address !== address);
  if (taken !== undefined) throw usageError(`${name} is at ${taken.address} already`);
  const server: CatalogServerConfig = {
    ...{ name, address },
    ...(directory === undefined || shared.memory ? {} : { directory: resolve(directory) }),
  };
  const others = shared.servers.filter((other) => other.name !== name);
  const config = { ...shared, servers: [...others, server], ...(secret === undefined ? {} : { secret }) };
  await serve({ config, server, isNewcomer: true, ...telling });
}
