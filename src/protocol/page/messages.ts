// What the page of a mediator is told, as JSON: shapes that the mediator and the
// page's own code agree on.
import type { ClusterStatus, DataServerStatus } from '../services/admin.js';
import type { FileKind, FileName } from '../services/files.js';

/** What happened in a stretch of time, and how long it took. */
export interface Sample {
  /** The end of the stretch, in milliseconds since 1970. */
  timeMs: number;
  /** A second. */
  reads: number;
  writes: number;
  votes: number;
  dissents: number;
  repairs: number;
  readBytes: number;
  writeBytes: number;
  /** Milliseconds; null when there was none in that stretch. */
  readP50: number | null;
  readP99: number | null;
  writeP50: number | null;
  writeP99: number | null;
}

export interface PageDataServer extends DataServerStatus {
  /** Moving average of its block reads; null where nobody measures it. */
  latencyMs: number | null;
}

/** Of a mediator; a standby passes on what the active one says, as far as that answers. */
export interface ClusterSnapshot extends Omit<ClusterStatus, 'dataservers'> {
  role: 'active' | 'standby';
  /** When it was made, in milliseconds since 1970. */
  timeMs: number;
  /** Of the mediator that answers. */
  name: string;
  /** How the metaservers agree. */
  metadataProtocol: 'raft' | 'viewstamped' | 'etcd';
  dataservers: PageDataServer[];
  testHooks: boolean;
  /** Whether somebody here can start, stop and end processes. */
  isSupervised: boolean;
  /** The newest; null at a standby. */
  sample: Sample | null;
}

/** Nothing can be said just now. */
export interface TroubledSnapshot {
  role: 'troubled';
  timeMs: number;
  reason: string;
}

/** Of a server of the catalog: its group, as this server knows it. */
export interface GroupSnapshot {
  role: 'catalog';
  timeMs: number;
  name: string;
  protocol: string;
  isCrashed: boolean;
  /** null where nobody leads, or nobody is known to. */
  leader: string | null;
  servers: readonly { name: string; address: string; role: string }[];
  /** What a reader and a writer may count on. */
  promise: string;
  /** Of the protocol: terms, indices, timestamps. */
  details: Readonly<Record<string, string | number | boolean>>;
}

export type PageSnapshot = ClusterSnapshot | GroupSnapshot | TroubledSnapshot;

/** What comes first when somebody looks: the last ten minutes, oldest first. */
export interface History {
  periodMs: number;
  samples: Sample[];
}

/** A file or folder, as `folder` and `file` answer it. */
export interface PageEntry {
  inode: number;
  kind: FileKind;
  sizeBytes: number;
  blockSizeBytes: number;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  links: number;
  /** Milliseconds since 1970. */
  modifiedMs: number;
}

/** Answer of `file?path=…`, the path as in path-code.ts, or `file?inode=…`. */
export interface PageFileAnswer extends PageEntry {
  /** A path that leads there, encoded; null when no name does. */
  path: string | null;
  /** Of a symbolic link, one character per byte. */
  target: string | null;
}

/** Answer of `folder?path=…&cookie=…`: entries behind the cookie, 0 for the first. */
export interface FolderAnswer {
  entries: (PageEntry & { name: FileName; cookie: number })[];
  done: boolean;
}

/** As in AdminService; hashes as hexadecimal text. */
export type PageBallot =
  | { state: 'present'; hash: string }
  | { state: 'absent' }
  | { state: 'damaged' }
  | { state: 'unreachable' };

export interface PageBlock {
  index: number;
  version: number;
  witness: string;
  length: number;
  /** In the order of `servers` in the answer. */
  ballots: PageBallot[];
  /** What was put back of this version lately: how long ago, and how long after the vote that showed it was needed. */
  repairs: { server: string; agoMs: number; afterMs: number | null }[];
}

/** Answer of `votes?inode=…&first=…&count=…`. Blocks that are holes are left out. */
export interface VotesAnswer {
  /** When the vote was over, in milliseconds since 1970. */
  timeMs: number;
  readQuorum: number;
  servers: string[];
  blocks: PageBlock[];
}

/** Answer of `contents?server=…&inode=…`: what the server holds of a file. */
export interface ContentsAnswer {
  entries: { index: number; version: number; length: number; hash: string }[];
}

/** A line of a log. */
export interface LoggedEvent {
  /** Stays the same however often it is asked for. */
  id: string;
  timeMs: number;
  server: string;
  level: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  event: string;
  fields: Record<string, unknown>;
}

/** What is asked of the logs: `until` and `since` in milliseconds since 1970, both included; the rest filters. */
export interface EventsQuestion {
  since?: number | undefined;
  until?: number | undefined;
  server?: string | undefined;
  /** The first word of the event's name, such as vote or repair. */
  kind?: string | undefined;
  inode?: number | undefined;
  /** Warnings and errors only. */
  isTrouble?: boolean | undefined;
  limit: number;
}

export interface EventsAnswer {
  /** Newest first. All of the oldest one's millisecond are there. */
  events: LoggedEvent[];
  /** Whether there may be older ones that fit. */
  hasOlder: boolean;
  /** The older ones are asked for with this as `until`; null when there was nothing to look at. */
  searchedMs: number | null;
  /** The oldest line that is kept on this machine; null when there is none. */
  oldestMs: number | null;
  /** Servers whose logs are on this machine, and those whose are not. */
  here: string[];
  elsewhere: string[];
}
