// Events of catalog servers.
import { type EventTexts, text } from './event-text.js';

export const CATALOG_EVENTS: EventTexts = {
  'catalog.founder': text('{member} founded the group of this catalog.'),
  'catalog.gossip_failed': text('A round of gossip failed; the next one brings what it lacked.'),
  'catalog.introduced': text('The catalog server was introduced to its group through {through}.'),
  'catalog.leading': text('{member} leads the catalog in term {term}.'),
  'catalog.log_failed': text(
    'The log of this catalog server cannot be written, so it takes no part until it can.',
    'Look at its disk.',
  ),
  'catalog.majority_lost': text(
    '{lost} have come back without what they had, and the rest is no majority, so nobody can lead any more.',
    'Stop all servers of the catalog, and start them with empty stores.',
  ),
  'catalog.newcomer': text('{member} is new, and learns from the others before it votes.'),
  'catalog.not_answered': text('{server} did not answer a request of the catalog.'),
  'catalog.not_dismissed': text('{server} was removed and could not be told so.', 'Stop it yourself.'),
  'catalog.not_introduced': text(
    'The server could not be introduced through {through}; it tries again.',
    'Check the address of that server.',
  ),
  'catalog.not_kept': text(
    'The state could not be kept on the disk; the log has everything, and it is tried again.',
    'Look at its disk.',
  ),
  'catalog.not_leading': text('{member} does not lead the catalog any more (term {term}).'),
  'catalog.not_registered': text('It could not be registered at {at} who founds the group.', 'Check that server.'),
  'catalog.not_spread': text('An update could not be sent to the other servers yet; it is sent again.'),
  'catalog.not_started': text('This catalog server could not begin: {reason}.', 'Mend what the reason names.'),
  'catalog.quorums_apart': text(
    'With readQuorum {readQuorum} and writeQuorum {writeQuorum} of {servers} servers, a read may miss the last change.',
    'Make the two quorums together more than the number of servers.',
  ),
};
