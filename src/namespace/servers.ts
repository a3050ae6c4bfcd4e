// The commands that keep what is known of data servers.
import type { Commands } from '../protocol/services/metadata.js';
import { forgetServer, forgetVersion } from './missed.js';
import type { Draft } from './state/draft.js';

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

/** The server holds these versions now. */
export function caughtUp(draft: Draft, request: Commands['caughtUp']['request']): Commands['caughtUp']['result'] {
  for (const { inode, index, version } of request.blocks) forgetVersion(draft, request.server, inode, index, version);
  return {};
}
