// Reads the configuration file of a catalog.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { CatalogConfig } from '../../catalog/configuration/catalog-config.js';
import { parseCatalogConfig } from '../../catalog/configuration/parse-config.js';
import { ConfigError } from '../../config.js';
import { hasCode } from '../../runtime/caught-errors.js';
import { usageError } from '../failure.js';

/** Throws a usage error with a line per problem. */
export async function loadCatalogConfig(file: string): Promise<CatalogConfig> {
  const absolute = resolve(file);
  let text: string;
  try {
    text = await readFile(absolute, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw usageError(`${file}: there is no such file`);
    if (hasCode(error, 'EISDIR')) throw usageError(`${file}: is a folder`);
    throw error;
  }
  return asUsage(() => parseCatalogConfig(text, absolute, process.env.NMRFS_SECRET));
}

/** What is wrong with a configuration is wrong usage here. */
export function asUsage<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw error instanceof ConfigError ? usageError(error.message) : error;
  }
}
