// Events of mediators as such: who is active, and the sessions of mounts.
import { type EventTexts, text } from './event-text.js';

export const MEDIATOR_EVENTS: EventTexts = {
  'files.leader': text('This mount talks to the mediator {server} now.'),
  'files.leader_lost': text(
    'This mount lost its mediator {server} ({reason}); programs wait.',
    'Nothing if it finds one again within seconds.',
  ),
  'files.no_leader': text('This mount finds no active mediator: {servers|none answers}.', 'Start a mediator.'),
  'mediator.active_silent': text('The active mediator did not answer this standby.'),
  'mediator.fenced': text(
    'A message of a mediator that has been replaced (epoch {epoch}, now {newest}) was refused, as it must be.',
  ),
  'mediator.gave_way': text(
    '{name} reaches fewer data servers than {to}, and gave way to it.',
    'Look at the network between {name} and the data servers.',
  ),
  'mediator.no_metadata': text('This standby could not ask the metaservers whether it may take over.'),
  'mediator.not_opened': text('{name} was to take over and could not begin: {reason}.', 'Look at its log.'),
  'mediator.not_resigned': text('The mediator that ended could not say so; another one takes over a second later.'),
  'mediator.replaced': text(
    '{name} is not the active mediator any more: another one has taken over (epoch {epoch}).',
    'Find out why it was silent.',
  ),
  'mediator.took_over': text('{name} is the active mediator now (epoch {epoch}).'),
  'session.begun': text('A mount has begun its session.'),
  'session.end_unanswered': text('The end of a session was not answered; the mediator ends it by itself.'),
  'session.interrupted': text('The connection of a session was interrupted; the mount begins it anew.'),
  'session.lock_unclear': text(
    'It is not known whether a lock on inode {inode} was granted; the session begins anew to find out.',
  ),
  'session.release_failed': text(
    'What an ended session held could not be released: {reason}.',
    'Look at the metaserver.',
  ),
};
