// A recording of what processes did: the shape of its lines. Each line is a JSON object; the first is the header, the last the
// end. docs/recordings.md describes it for those who write one.

/** Changes whenever an older reader would misunderstand. */
export const RECORDING_VERSION = 1;

export type ProcessKind = 'client' | 'mediator' | 'metaserver' | 'dataserver' | 'catalog';

export interface RecordingHeader {
  /** What marks the file as one. */
  nmrfs: 'recording';
  version: number;
  title: string;
  /** The command that made it, if one did. */
  command?: string;
  /** In the order in which they are shown; others may turn up later. */
  processes: { name: string; kind: ProcessKind }[];
  /** virtual: microseconds since the beginning of a simulation; wall: since 1970. */
  clock: 'virtual' | 'wall';
}

/** Times are microseconds. */
interface At {
  t: number;
}

/** From one process to another. Its line comes when it has arrived, or is known not to. */
export interface MessageEvent extends At {
  kind: 'message';
  from: string;
  to: string;
  /** append, blocks.get … */
  name: string;
  /** null: it never did. Absent: the recording ends before, or does not know when it was sent. */
  arrived?: number | null;
  /** An answer to the message of that name. */
  isReply?: true;
  /** The answer is a refusal. */
  isFailure?: true;
  /** In a few words. */
  content?: string;
}

export type ProcessState = 'starts' | 'runs' | 'ends' | 'crashes' | 'loses power' | 'stops' | 'goes on';

/** stops: as by SIGSTOP; runs: it has started completely. */
export interface StateEvent extends At {
  kind: 'state';
  process: string;
  state: ProcessState;
}

/** A direction between two hosts; `isBoth` where nothing passes either way. */
export interface LinkEvent extends At {
  kind: 'link';
  from: string;
  to: string;
  isBoth: boolean;
  state: 'cut' | 'healed' | 'slow';
}

/** What a process is in its group from now on: leader, follower, active … and in which term, view or epoch. */
export interface RoleEvent extends At {
  kind: 'role';
  process: string;
  role: string;
  term: number;
}

/** The process asks for votes, or for a change of view. */
export interface ElectionEvent extends At {
  kind: 'election';
  process: string;
  term: number;
}

/** The process has learnt of a later term. */
export interface TermEvent extends At {
  kind: 'term';
  process: string;
  term: number;
}

export type RecordedBallot =
  | { state: 'present'; hash: string }
  | { state: 'absent' | 'damaged' | 'unreachable' | 'pending' };

/** A vote on one block, when it was decided. */
export interface VoteEvent extends At {
  kind: 'vote';
  process: string;
  /** inode/index, version. */
  block: string;
  readQuorum: number;
  witness: string;
  ballots: { server: string; ballot: RecordedBallot }[];
}

/** Anything else that is worth a word; of the whole where there is no process. */
export interface NoteEvent extends At {
  kind: 'note';
  process?: string;
  /** mark: a place that readers may want to go to. */
  level: 'mark' | 'info' | 'warn' | 'error';
  text: string;
  /** The name and the fields of a line in a log. */
  event?: string;
  fields?: Record<string, unknown>;
}

export type RecordedEvent =
  | MessageEvent
  | StateEvent
  | LinkEvent
  | RoleEvent
  | ElectionEvent
  | TermEvent
  | VoteEvent
  | NoteEvent;

export type EventKind = RecordedEvent['kind'];

/** The last line: a recording without one was cut off. */
export interface RecordingEnd {
  kind: 'end';
  /** Lines between header and end. */
  events: number;
}
