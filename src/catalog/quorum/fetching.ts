// Entries of other servers, by their keys.
import { malformed } from '../../protocol/errors.js';
import type { Peer } from '../../replication/link/peers.js';
import type { PeerGroup } from '../peers/peer-group.js';
import { type QuorumService, readEntry } from './service.js';
import type { Key, KeyedEntry } from './versioned.js';

/** Of the keys of one request. */
const MOST_KEYS = 1000;

/**
 * Asks the server for the entries, and takes them as they come, some in each message.
 * @returns whether it has answered to the end
 */
export async function fetchEntries(
  group: PeerGroup<QuorumService>,
  peer: Peer,
  keys: readonly Key[],
  take: (entries: readonly KeyedEntry[]) => Promise<void>,
): Promise<boolean> {
  for (let done = 0; done < keys.length; ) {
    const wanted = keys.slice(done, done + MOST_KEYS);
    const answer = await group.ask(peer, 'quorum', (service, options) => service.fetch({ keys: wanted }, options));
    if (answer === null) return false;
    if (!Array.isArray(answer.entries) || !(answer.keys > 0)) throw malformed('entries that were asked for');
    await take(answer.entries.map(readEntry));
    done += answer.keys;
  }
  return true;
}
