// What is known of data servers, and the numbers given out to mediators.
import type { Commands } from '../../protocol/services/metadata.js';
import type { Draft } from '../state/draft.js';
import { forgetServer, forgetVersion } from './missed.js';

/** Version numbers that are given to nobody else. */
export function allocate(draft: Draft, request: Commands['allocate']['request']): Commands['allocate']['result'] {
  const first = draft.counters.nextVersion;
  draft.counters.nextVersion += request.count;
  return { first };
}

/** Never goes back: what was retired once, somebody has deleted. */
export function retireVersions(
  draft: Draft,
  request: Commands['retireVersions']['request'],
): Commands['retireVersions']['result'] {
  const { counters } = draft;
  counters.retiredBelow = Math.max(counters.retiredBelow, Math.min(request.below, counters.nextVersion));
  return { below: counters.retiredBelow };
}

/** Adds or changes a server. Another storeId means that it came back with another store. */
export function registerServer(
  draft: Draft,
  request: Commands['registerServer']['request'],
): Commands['registerServer']['result'] {
  const known = draft.tables.server(request.name);
  if (known !== undefined && known.storeId !== request.storeId) forgetServer(draft, request.name);
  draft.tables.putServer(request);
  return {};
}

export function caughtUp(draft: Draft, request: Commands['caughtUp']['request']): Commands['caughtUp']['result'] {
  for (const { inode, index, version } of request.blocks) forgetVersion(draft, request.server, inode, index, version);
  return {};
}
