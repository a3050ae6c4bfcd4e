// Checks of what servers of a group say to each other.
import { malformed } from '../../protocol/errors.js';
import type { Greeting } from '../../protocol/services/group.js';

/** More belong to no group. */
const MOST_SERVERS = 100;

export function textOf(value: unknown): string {
  if (typeof value !== 'string') throw malformed('a name, an id or an address that is no text');
  return value;
}

/** @throws ServiceError MALFORMED */
export function readGreeting({ name, id, hasGroup, cluster, clusterId, servers }: Greeting): Greeting {
  const isRight = typeof hasGroup === 'boolean' && Array.isArray(servers) && servers.length <= MOST_SERVERS;
  if (!isRight || ![id, clusterId].every((each) => each === null || typeof each === 'string')) {
    throw malformed('a greeting');
  }
  const places = servers.map((server) => ({ name: textOf(server?.name), address: textOf(server?.address) }));
  return { name: textOf(name), id, hasGroup, cluster: textOf(cluster), clusterId, servers: places };
}
