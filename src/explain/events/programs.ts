// Events of processes, connections and logs, which every server has.
import { type EventTexts, text } from './event-text.js';

const REPORT = 'Report it with the lines of the log around it.';

export const PROGRAM_EVENTS: EventTexts = {
  'auth.refused': text(
    'A connection was refused, since the two sides do not have the same secret.',
    'Use the same nmrfs.yaml, with the same secret, on all hosts.',
  ),
  'config.not_read': text('The configuration file could not be read anew: {reason}.', 'Mend the file.'),
  'connection.accepted': text('A connection from {peer} was accepted.'),
  'connection.closed': text('A connection has ended.'),
  'connection.down': text('The connection to {server} is lost ({reason}), and is made anew as soon as it answers.'),
  'connection.failed': text('A connection ended by an error that nobody expects.', REPORT),
  'connection.listener_failed': text('A part of this program failed when it was told of a connection.', REPORT),
  'connection.malformed': text(
    'What arrived on a connection was no message of this protocol, so the connection was closed.',
    'Check what else connects to this port, and that all servers have the same version.',
  ),
  'connection.unix_unavailable': text('{server} cannot be reached by its socket on this host; TCP is used.'),
  'connection.up': text('The connection to {server} is there.'),
  'http.failed': text('The request for {path} failed in a way that nobody expects.', REPORT),
  'http.unanswered': text('Who asked for {path} was gone before the answer.'),
  'listener.failed': text('The port {address} does not take connections any more: {reason}.', 'Restart the server.'),
  'log.lines_lost': text('Lines of this log could not be written: {reason}.', 'Free room where the logs are.'),
  'log.not_rotated': text(
    'The log could not be moved aside, and grows: {reason}.',
    'Check the rights and the room of the run directory.',
  ),
  'process.defect': text('A fault of this program ended the process; its supervisor starts it anew.', REPORT),
  'process.output': text('The process printed something of its own: {text}'),
  'reads.waiting': text('nmrfs up waits until files can be read: {reason}'),
  'request.failed': text('The request {method} failed in a way that nobody expects.', REPORT),
  'server.admitted': text('{server} was added, and is supervised.'),
  'server.crashed': text(
    'The process of {server} ended unasked, and is started again.',
    'Look at the last lines of its log if this comes again and again.',
  ),
  'server.failed': text(
    'The server could not start or go on: {reason}.',
    'Mend what the reason names, and start it again.',
  ),
  'server.killed': text('{server} did not end in time when asked, and was killed.'),
  'server.held': text(
    '{server} was stopped where it is (SIGSTOP), as asked for: it accepts connections and answers nothing.',
    'Let it go on (SIGCONT), or restart it.',
  ),
  'server.continued': text('{server} goes on where it was stopped, as asked for.'),
  'server.not_closed': text('The server could not close in order: {reason}.', 'Nothing: the next start recovers.'),
  'server.ready': text('The server listens at {address}.'),
  'server.restarting': text('{server} is being restarted, as asked for.'),
  'server.retired': text('{server} was removed, and is not supervised any more.'),
  'server.spawn_failed': text(
    'The process of {server} could not be started: {reason}.',
    'Check the room of the disk and the limits on processes.',
  ),
  'server.stopped': text('The server has ended in order.'),
  'server.stopping': text('The server ends: {reason}.'),
  'server.terminated': text(
    '{server} ended because it was told to, and is not started again by itself.',
    'nmrfs restart {server} brings it back.',
  ),
  'supervisor.leftovers_killed': text('Servers that an earlier nmrfs up had left behind were ended.'),
  'supervisor.record_failed': text(
    'What runs here could not be noted in the run directory; nmrfs down may not find it.',
    'Check the room and the rights of the run directory.',
  ),
};
