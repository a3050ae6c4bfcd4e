// Events of mounts: the kernel's requests, and what is written back.
import { type EventTexts, text } from './event-text.js';

export const MOUNT_EVENTS: EventTexts = {
  'mount.access-time': text('The time of last access of inode {inode} could not be set.'),
  'mount.busy': text(
    '{directory} is in use, and is unmounted as soon as programs let go of it.',
    'End the programs that use it, if it is to go now.',
  ),
  'mount.broken': text('The mount at {directory} ended with a failure: {reason}.', 'Mount again.'),
  'mount.changes_lost': text(
    'Changes of {inodes} files or folders were lost with a server; the next fsync of each says so.',
    'Check what programs changed last.',
  ),
  'mount.dead_cleared': text('A mount that a dead process had left at {directory} was taken away.'),
  'mount.device': text('The kernel closed the mount with an error: {error}.', 'Mount again.'),
  'mount.ended': text('{directory} is not mounted any more.'),
  'mount.failed': text(
    'A program’s request ({request}) failed, and it got EIO.',
    'The events of the same moment say why; report it with them where they do not.',
  ),
  'mount.late-reply': text('A program had given up before its answer came.'),
  'mount.left': text('The mount has ended and its name could not be taken away.', 'Run umount -l on the directory.'),
  'mount.locks_lost': text(
    'Locks on inode {inode} were lost with the session; its descriptors answer EIO until they are closed.',
    'Restart the programs that held them.',
  ),
  'mount.malformed': text(
    'The kernel sent a request that this program does not understand.',
    'Report it with the version of the kernel.',
  ),
  'mount.not_followed': text(
    'A moved folder could not be looked up at its new place; the kernel finds it at the next use.',
  ),
  'mount.protocol': text(
    'Kernel and mount agree on a version of their protocol, or the kernel is too old ({major}).',
    'At level error: use a newer kernel.',
  ),
  'mount.read-ahead': text('The read-ahead of the mount could not be raised, which only costs speed.'),
  'mount.ready': text('{directory} is mounted.'),
  'mount.refresh_failed': text('What the kernel knows of inode {inode} could not be refreshed; it asks again.'),
  'mount.reply': text('The kernel did not take an answer: {error}.', 'Report it with the version of the kernel.'),
  'mount.unsynced': text('Changes of names could not be stored yet; fsync waits for it or fails.'),
  'mount.utimens': text('With the binding fuse-native, a change of the access time alone changes both times.'),
  'writeback.aged': text(
    '{bytes} bytes of inode {inode} were sent after five seconds, since no fsync or close had asked for it.',
  ),
  'writeback.failed': text(
    'Bytes of inode {inode} could not be stored: {error}; fsync and close of its descriptors say so.',
    'Check the state of the cluster and write again.',
  ),
  'writeback.lost': text(
    'Bytes of inode {inode} were lost, and no program was left that could be told: {error}.',
    'Write the file again.',
  ),
};
