// The commands that give out version numbers and retire them.
import type { Commands } from '../protocol/services/metadata.js';
import type { Draft } from './state/draft.js';

/** Gives out `count` version numbers, from `first` on, that nobody else gets. */
export function allocate(draft: Draft, request: Commands['allocate']['request']): Commands['allocate']['result'] {
  const first = draft.counters.nextVersion;
  draft.counters.nextVersion += request.count;
  return { first };
}

/** From now on no commit puts a version below `below`. The bound never goes down: versions below it may be deleted already. */
export function retireVersions(
  draft: Draft,
  request: Commands['retireVersions']['request'],
): Commands['retireVersions']['result'] {
  const { counters } = draft;
  counters.retiredBelow = Math.max(counters.retiredBelow, Math.min(request.below, counters.nextVersion));
  return { below: counters.retiredBelow };
}
