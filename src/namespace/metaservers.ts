// The commands that say where metaservers are that were added while the group ran.
import type { Commands } from '../protocol/services/metadata.js';
import type { Draft } from './state/draft.js';

export function addMetaserver(draft: Draft, { name, address }: Commands['addMetaserver']['request']) {
  const others = draft.tables.metaservers().filter((server) => server.name !== name);
  draft.tables.putMetaservers([...others, { name, address }]);
  return {};
}

export function dropMetaserver(draft: Draft, { name }: Commands['dropMetaserver']['request']) {
  const added = draft.tables.metaservers();
  const left = added.filter((server) => server.name !== name);
  if (left.length < added.length) draft.tables.putMetaservers(left);
  return {};
}
