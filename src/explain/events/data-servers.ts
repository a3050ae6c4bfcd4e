// Events of data servers: their store, its log, its index, its disk.
import { type EventTexts, text } from './event-text.js';

const DISK = 'Look at the disk: its room, its cable, and what the kernel says (dmesg).';

export const DATA_SERVER_EVENTS: EventTexts = {
  'block.damaged': text(
    'Pages of block {index} of inode {inode} do not have the hash that was stored with them; the vote decides and has them repaired.',
    'Nothing for a single one; replace the disk if it comes again and again.',
  ),
  'block.unreadable': text('Block {index} of inode {inode} cannot be read from this disk: {reason}.', DISK),
  'compaction.done': text('Segment {segment} was emptied: what it still held was copied, and its room is free again.'),
  'compaction.failed': text('Room that deleted versions take could not be freed; it is tried again.', DISK),
  'direct.failed': text('A read past the page cache failed, and was done through it.'),
  'direct.unsupported': text('This file system does not read past the page cache; reads go through it.'),
  'direct.append_unsupported': text(
    'Nothing can be written past the page cache here ({reason}); writes go through it.',
  ),
  'index.ahead': text('The index points behind the end of segment {segment}, so it was not trusted there.'),
  'index.rebuilt': text('The index was made anew from the segments; nothing is lost by that.'),
  'index.save_failed': text(
    'The index could not be saved; the segments have everything, and a start takes longer.',
    DISK,
  ),
  'index.unreadable': text('The index could not be read, and is made anew from the segments.'),
  'segment.close_failed': text('Segment {segment} could not be closed in order.', DISK),
  'segment.cut_failed': text('Segment {segment} could not be cut after a write that failed; it is tried again.', DISK),
  'segment.sync_failed': text(
    'The disk did not confirm that segment {segment} is stored; what was not confirmed counts as not stored.',
    DISK,
  ),
  'segment.tail_cut': text(
    'Segment {segment} ended in a record that a crash had left unfinished ({bytes} bytes); it was cut off.',
  ),
  'segment.unsafe_not_kept': text(
    'It could not be noted on the disk that segment {segment} is unsafe from some place on.',
    DISK,
  ),
  'segment.version_lost': text(
    'A version of block {index} of inode {inode} cannot be read while its segment is emptied; a vote or a scrub repairs it.',
    DISK,
  ),
  'segment.write_failed': text('The disk refused a write: {reason}.', DISK),
  'segment.zeros_failed': text(
    'Room ahead in segment {segment} could not be filled with zeros, which only costs speed.',
  ),
  'store.damage_found': text(
    'Damaged records were found in the store while it was opened; those versions are absent here until they are repaired.',
    'Run nmrfs scrub, and watch this disk.',
  ),
  'store.epoch_not_kept': text('The number of the active mediator could not be noted on the disk.', DISK),
  'store.opened': text('The store is open: {blocks} blocks.'),
  'store.read_only': text(
    'The store in {directory} can only be read: {reason}.',
    'Make its file system writable and restart the server.',
  ),
  'store.wiped': text('The store in {directory} was emptied, as a restart with --blank asks for.'),
  'tombstones.dropped': text(
    '{count} deletions could not be written down for want of room; the versions may come back as garbage, which a scrub removes.',
    'Free room on the disk, then run nmrfs scrub.',
  ),
};
