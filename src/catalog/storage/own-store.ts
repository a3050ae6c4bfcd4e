// Whose a store is: a server opens no other's.
import { ConfigError } from '../../config.js';

/** What a store belongs to, as its identity.json says. */
export interface StoreOwner {
  readonly cluster: string;
  readonly protocol: string;
  readonly name: string;
}

/**
 * Throws ConfigError for a store of another server, cluster or protocol.
 * @param where of the store, in words
 */
export function mustBeOwn(where: string, known: Partial<StoreOwner>, own: StoreOwner): void {
  for (const key of ['cluster', 'protocol', 'name'] as const) {
    if (known[key] === own[key]) continue;
    throw new ConfigError([`the store in ${where} is of ${key} ${known[key]}, and the configuration says ${own[key]}`]);
  }
}
