// Events of votes, repairs, rebuilds, scrubs and writes: what the mediator finds out about replicas.
import { type EventTexts, text } from './event-text.js';

export const VOTING_EVENTS: EventTexts = {
  'vote.dissent': text(
    '{server} lost the vote on block {index} of inode {inode}: it has {ballot|something else than the others}.',
    'Nothing as long as it is repaired; a server that dissents again and again has a bad disk or bad memory.',
  ),
  'vote.no_quorum': text(
    'Too few replicas have the right bytes of block {index} of inode {inode}, so the read was refused (EIO) and no byte was guessed.',
    'Bring back the data servers that are down; if that does not help, write the file anew or restore it from a backup.',
  ),
  'audit.unanswered': text('{server} did not answer when it was asked to vote after a read had been answered.', null),
  'repair.done': text('{server} got the right bytes of block {index} of inode {inode} and agrees again.'),
  'repair.failed': text(
    'A repair of {server|a data server} did not succeed; it is tried again at the next vote on the block, or by a scrub.',
    'Look at the state and the disk of that data server if this goes on.',
  ),
  'repair.impossible': text(
    'Block {index} of inode {inode} cannot be repaired, since too few replicas have the right bytes.',
    'Bring back the data servers that are down, or write the file anew.',
  ),
  'replica.up': text('{server} is up, has all that it should have, and votes.'),
  'replica.down': text(
    '{server} cannot be reached: reads and writes go on without it as far as the quorums allow.',
    'Find out why it is down and start it again: nmrfs status says what is still survived.',
  ),
  'replica.blank': text('{server} came with an empty store, and is about to be rebuilt from the others.', null),
  'replica.rebuilding': text('{server} is being rebuilt, and votes only on blocks that it has got already.'),
  'replica.refused': text(
    '{server} answers but was not let in: {reason|it does not belong to this cluster}.',
    'Check that this address leads to the right server with the right store.',
  ),
  'replica.silent': text('{server} did not answer when it was asked for its state.'),
  'recovery.interrupted': text(
    'The work that brings a data server what it lacks was interrupted, and goes on by itself.',
    'Look for what else failed at this moment if it comes again and again.',
  ),
  'catchup.progress': text('{server} got {blocks} blocks that it had missed while it was away.'),
  'rebuild.started': text('The rebuild of {server} has begun: {total} blocks are to be brought.'),
  'rebuild.progress': text('The rebuild of {server} has brought {done} of {total} blocks.'),
  'rebuild.done': text('The rebuild of {server} is complete, and it counts as a full replica.'),
  'rebuild.incomplete': text(
    '{server} has all but {lacking} blocks, which could not be brought: no quorum, or no room.',
    'Look for vote.no_quorum and for the room on its disk; the rebuild tries again by itself.',
  ),
  'scrub.done': text(
    'A scrub has voted on every block: {dissents} dissented, {repaired} were mended, {unreadable} have no quorum.',
  ),
  'scrub.failed': text('A scrub ended early: {reason|it could not go on}.', 'Start it again: nmrfs scrub.'),
  'scrub.orphans': text('The scrub removed {versions} versions from {server} that no file names.'),
  'scrub.orphans_kept': text('{server} could not be told to remove versions that no file names.', 'Scrub again later.'),
  'write.refused': text(
    'A write to inode {inode} was refused at once, since fewer than {writeQuorum} data servers can store it; what was there stays.',
    'Bring back the data servers that are down, or lower writeQuorum.',
  ),
  'write.starved': text(
    'A write to inode {inode} lost {attempts} times in a row against other writers of the same block, and failed.',
    'Have fewer programs write the same place at once.',
  ),
  'write.unanswered': text(
    '{server} did not answer in time when it was to store a version; it gets it later.',
    'Look at its disk and network if this goes on.',
  ),
  'write.takeBackFailed': text(
    '{server} could not be told to delete the versions of a write that failed; a scrub removes them.',
  ),
  'garbage.unanswered': text('{server} did not answer when it was to delete old versions; it is asked again.'),
  'garbage.refused': text(
    'The metaserver refused to drop old versions from its list; it is asked again.',
    'Look at the room on its disk.',
  ),
  'garbage.interrupted': text('The removal of old versions was interrupted, and goes on by itself.'),
  'garbage.orphan_kept': text(
    'The file of inode {inode} has no name any more and could not be removed yet; it is tried again.',
  ),
  'results.interrupted': text('The removal of answers that nobody waits for was interrupted, and goes on by itself.'),
  'results.kept': text('The answers kept for a mount that has ended could not be dropped; they go after a day.'),
};
