// Garbage: versions that no block map names any more, listed until all data
// servers have deleted them.
import type { BlockReference, Commands } from '../protocol/services/metadata.js';
import { encodeGarbage } from './state/block-rows.js';
import type { Draft } from './state/draft.js';
import { garbageKey } from './state/keys.js';

/** No block map names this version any more. */
export function addGarbage(draft: Draft, inode: number, { index, version }: BlockReference): void {
  const { counters } = draft;
  const entry = { inode, index, version };
  draft.view.put(garbageKey(counters.nextGarbage++), encodeGarbage(entry));
  counters.garbage++;
}

/** All servers have deleted these versions. Entries that are not in the list were collected before. */
export function collected(draft: Draft, request: Commands['collected']['request']): Commands['collected']['result'] {
  for (const sequence of request.sequences) {
    const key = garbageKey(sequence);
    if (draft.view.get(key) === undefined) continue;
    draft.view.remove(key);
    draft.counters.garbage--;
  }
  return {};
}
