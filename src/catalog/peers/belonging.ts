// Which servers may belong together: those of one cluster, under one protocol, each name at one address.
import { ServiceError } from '../../protocol/errors.js';
import type { ServerPlace } from '../../protocol/services/group.js';
import { CatalogError } from '../map/errors.js';

/** The same for all servers that belong together, and for no others. */
export function groupText({ cluster, protocol }: { cluster: string; protocol: string }): string {
  return `catalog ${cluster} by ${protocol}`;
}

/**
 * Throws ServiceError REFUSED.
 * @param own of this server, by groupText
 * @param theirs of the server that has come, as it says
 */
export function mustBelong(own: string, theirs: unknown, name: string): void {
  if (theirs === own) return;
  throw new ServiceError('REFUSED', `${name} is of ${String(theirs)}, and not of ${own}`);
}

/** Throws CatalogError NOT_FOUND when no such server is known. */
export function mustBeThere(places: readonly ServerPlace[], name: string): void {
  if (places.some((place) => place.name === name)) return;
  throw new CatalogError('NOT_FOUND', `${name} is no server of this catalog`);
}

/** Throws CatalogError EXISTS when the server is known to be somewhere else. */
export function mustBeNew(places: readonly ServerPlace[], { name, address }: ServerPlace): void {
  const known = places.find((place) => place.name === name);
  if (known === undefined || known.address === address) return;
  throw new CatalogError(
    'EXISTS',
    `${name} is at ${known.address} already: remove that server first, or name the other one otherwise`,
  );
}
