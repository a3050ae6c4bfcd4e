// Events of metaservers: who leads, their log, their disk, etcd; and of the mediator's connection to them.
import { type EventTexts, text } from './event-text.js';

const DISK = 'Look at the disk: its room, its cable, and what the kernel says (dmesg).';
const ETCD = 'Look at etcd: etcdctl endpoint health.';

export const METASERVER_EVENTS: EventTexts = {
  'metadata.command_failed': text(
    'The command {command} failed in a way that nobody expects.',
    'Report it with the lines of the log around it.',
  ),
  'metadata.commit_failed': text(
    'What was changed could not be stored yet; it is tried again, and no fsync succeeds before.',
    DISK,
  ),
  'metadata.created': text('A new, empty namespace was made, cluster {clusterId}.'),
  'metadata.disk_full': text('The metaserver takes only removals, since its disk is full.', 'Free room on its disk.'),
  'metadata.disk_has_room': text('The disk of the metaserver has room again, and all changes are taken.'),
  'metadata.disk_recovered': text('The disk of the metaserver takes writes again.'),
  'metadata.disk_trouble': text(
    'The disk of the metaserver refuses writes, so changes are refused while reads go on.',
    DISK,
  ),
  'metadata.leader': text('{server} leads the metaservers now, in term {term}.'),
  'metadata.leader_lost': text(
    'The leader {server} was lost ({reason}); programs wait until another one leads.',
    'Nothing if another one leads within seconds.',
  ),
  'metadata.no_leader': text(
    'No metaserver leads: {servers|too few of them answer}.',
    'Bring back enough metaservers for a majority.',
  ),
  'metadata.log_replayed': text('The metaserver took over {entries} entries that its log has and its rows had not.'),
  'metadata.not_closed': text('The metaserver could not store everything before it ended; mediators send it again.'),
  'metadata.not_led': text('A metaserver that was to lead could not begin; it tries again.', DISK),
  'metadata.not_carried_out': text(
    'The change {command}, which the mediator had answered by itself, could not be carried out: {reason}.',
    'An fsync of the changed file or folder says so to the program.',
  ),
  'metadata.not_repeated': text(
    'The change {command} could not be carried out again after a crash: {reason}.',
    'An fsync of the changed file or folder says so to the program.',
  ),
  'metadata.opened_for_reading': text('The database takes no writes, so it was opened for reading only.', DISK),
  'metadata.recovered': text('The namespace is open again, cluster {clusterId}.'),
  'metadata.repeated': text(
    'After a change of the leader, {commands} changes were carried out again that had not been stored.',
  ),
  'metadata.row_damaged': text(
    'A row of the database has rotted on the disk; with three metaservers or more the others answer, and bring all rows anew.',
    'Check the disk of its host. A lone metaserver has no other copy: restore a backup.',
  ),
  'metadata.take_over_failed': text(
    'Entries that are stored in the log could not be put into the rows; it is tried again.',
    DISK,
  ),
  'metadata.unconfirmed': text('Changes that the mediator has answered by itself are sent to the metaserver again.'),
  'metadata.undone': text(
    '{commands} changes of names or attributes were lost, since mediator and metaserver crashed at once; their fsync fails.',
    'Check what programs changed in the last tenth of a second.',
  ),
  'metadata.unsynced': text('The metaserver could not be asked to store what it has answered; it is asked again.'),
  'metadata.unverified': text(
    'It could not be checked yet whether the metaserver is the one from before; it is checked again.',
  ),
  'raft.elected': text('This metaserver leads since term {term}.'),
  'raft.stepped_down': text('This metaserver does not lead any more (term {term}).', null),
  'replica.diverged': text(
    'The rows of {member|this metaserver} are not what the leader has; it is taken out and filled anew.',
    'Check the memory and the disk of its host, and report it with the log.',
  ),
  'replica.divided': text(
    'The metaservers do not agree about what entry {index} makes of their rows, and none has a majority: {agree} of {voters} agree.',
    'Stop changes, keep all stores, and report it with the logs.',
  ),
  'replication.disk_full': text(
    'The leader has little room ({freeBytes} bytes), so {to} is to lead.',
    'Free room on its disk.',
  ),
  'replication.founded': text('A group of metaservers was founded by {member}.'),
  'replication.joined': text('{member|This metaserver} was let into the group through {through}.'),
  'replication.learner_added': text('{member} was added as one that learns, and votes once it has caught up.'),
  'replication.log_damaged': text(
    'The log on the disk is damaged; the others bring what it lacks, and it does not vote before.',
    DISK,
  ),
  'replication.log_unprepared': text('No file for further entries could be prepared in {directory}.', DISK),
  'replication.log_unread': text('Entries {first} to {last} of the log could not be read.', DISK),
  'replication.member_removed': text('{member} was taken out of the group, which has {voters} voters now.'),
  'replication.not_greeted': text('{server} could not be greeted: {reason}.', 'Check its address and whether it runs.'),
  'replication.not_handed_over': text('The lead could not be handed to another metaserver.'),
  'replication.not_joined': text('{through} could not let this metaserver in yet; it asks again.'),
  'replication.not_promoted': text('A metaserver that learns could not be made a voter yet; it is tried again.'),
  'replication.not_sent': text('A message to {to} was lost; the protocol sends what is needed again.'),
  'replication.removed': text(
    '{member|This metaserver} was taken out of its group.',
    'Stop it, or let it in again: nmrfs metaserver add.',
  ),
  'replication.server_known': text('{server} at {address} belongs to the group.'),
  'replication.state_installed': text('This metaserver got the whole state, up to entry {index}.'),
  'replication.state_not_received': text('The whole state from {from} did not arrive complete; it is sent again.'),
  'replication.state_not_sent': text('The whole state could not be sent to {to}; it is sent again.'),
  'replication.state_sent': text('{to} got the whole state up to entry {index}.'),
  'replication.stranger': text(
    '{name} belongs to another cluster and was refused.',
    'Check the address, and that its directory belongs to this cluster.',
  ),
  'replication.voter_added': text('{member} has caught up and votes; the group has {voters} voters.'),
  'etcd.away': text('etcd does not answer or has no leader, so programs wait: {reason}.', ETCD),
  'etcd.gone': text('What this server had in etcd, such as its lease, is gone: {reason}.', ETCD),
  'etcd.refused': text('etcd refuses what it is asked for: {reason}.', 'Do what the reason says.'),
  'etcd.back': text('etcd answers again.'),
  'etcd.elected': text('This metaserver leads since term {term}, with its log in etcd.'),
  'etcd.founded': text('The log was founded in etcd below {prefix}.'),
  'etcd.lacks_entries': text(
    'etcd has forgotten entries from {from} on that this metaserver lacks; the leader sends it the whole state.',
  ),
  'etcd.not_released': text('The lease in etcd could not be given back, and runs out by itself.'),
  'etcd.not_settled': text('This metaserver could not find its place in the log in etcd: {reason}.', ETCD),
  'etcd.state_not_asked': text('The leader could not be asked for its state yet; it is asked again.'),
  'etcd.stepped_down': text('This metaserver does not lead any more (term {term}): {why}.'),
  'etcd.store_refused': text(
    'The store of this metaserver does not belong to the log in etcd: {reason}.',
    'Check etcd.prefix and the directory.',
  ),
  'etcd.upkeep_failed': text('Entries that nobody needs could not be removed from etcd; it is tried again.', ETCD),
};
