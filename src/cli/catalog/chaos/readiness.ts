// Whether a catalog is well enough to be harmed.
import type { CatalogProtocol } from '../../../catalog/catalog.js';
import type { ServerStatus } from './chaos-servers.js';

/** What is in the way, in words; null when nothing is. */
export function whyNotReady(
  protocol: CatalogProtocol,
  servers: readonly { readonly name: string; readonly status: ServerStatus | undefined }[],
): string | null {
  const named = (is: (status: ServerStatus | undefined) => boolean) =>
    servers
      .filter(({ status }) => is(status))
      .map(({ name }) => name)
      .join(', ');
  const silent = named((status) => status === undefined);
  if (silent !== '') return `no answer from ${silent}`;
  const crashed = named((status) => status?.role === 'crashed');
  if (crashed !== '') return `${crashed} is crashed, and must be restored first`;
  const blank = named((status) => status?.role === 'blank');
  if (blank !== '') return `${blank} has not come into the catalog yet`;
  const leads = servers.some(({ status }) => status?.role === 'leader' && status.details.isServing === true);
  const hasLeader = protocol !== 'quorum' && protocol !== 'lazy';
  return hasLeader && !leads ? 'no server leads yet' : null;
}
