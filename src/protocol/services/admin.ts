// AdminService: what the command line and the XML-RPC face need of a mediator
// besides files. PATHs are absolute within the file system, in UTF-8 text.
import type { DiskTrouble } from '../../runtime/disk-trouble.js';
import type { Hash } from '../values/hash.js';
import type { ListEntry } from './blocks.js';
import type { GroupRole } from './group.js';
import type { CallOptions } from './service.js';

export type DataServerState = 'up' | 'down' | 'blank' | 'rebuilding';

export interface DataServerStatus {
  name: string;
  address: string;
  state: DataServerState;
  blocks: number;
  bytes: number;
  /** Ballots of this server that were outvoted, absent where they should not be, or unreadable. */
  dissents: number;
  /** Versions that were put back on it. */
  repairs: number;
  /** Why it takes no changes although it answers; null when it does, or does not answer. */
  trouble: DiskTrouble | null;
  /** What is wrong with it, in words; empty when nothing is. */
  reason: string;
  /** Versions that it should hold and does not, counted up to some thousands; null while the metaserver does not answer. */
  behind: number | null;
  /** Room on its disk for more, as it has said last. */
  freeBytes: number;
  totalBytes: number;
  rebuild?: { done: number; total: number };
}

export interface MetaserverStatus {
  name: string;
  address: string;
  state: 'up' | 'down';
  /** crashed: it does not answer. */
  role: GroupRole | 'crashed';
  /** Whether it answers mediators: it leads, and has all that was answered before. */
  isServing: boolean;
  /** Whether the group counts a voter of this name; also while that one has come back blank and is not in again (see its role). */
  isVoter: boolean;
  /** Of Raft; the view, in viewstamped replication. */
  term: number;
  /** Entries in its log, of those the ones that a majority is known to have, and of these the ones in its rows. */
  lastIndex: number;
  committedIndex: number;
  appliedIndex: number;
  /** What it lacks of what is committed, and for how long it may lack it. null while it does not answer. */
  lag: { entries: number; ms: number } | null;
  /** While the leader sends it the whole state: rows. */
  snapshot?: { done: number; total: number };
  /** As for a data server. One with a trouble answers reads; one that is full takes removals too. */
  trouble: DiskTrouble | null;
  reason: string;
  freeBytes: number;
  totalBytes: number;
}

export interface MediatorStatus {
  name: string;
  address: string;
  state: 'active' | 'standby' | 'down';
  epoch: number;
}

/** What can go now, with the servers as they are. */
export interface Survival {
  /** Data servers that answer and hold every block. */
  complete: number;
  /** Bad or missing replicas among these that reads of any block survive; 0 also when there are no reads. */
  reads: number;
  /** Servers that may go while writes go on; 0 also when there are none. */
  writes: number;
}

export interface ClusterStatus {
  readQuorum: number;
  writeQuorum: number;
  readable: boolean;
  writable: boolean;
  audit: 'all' | 'quorum';
  onWriteQuorumLost: 'fail' | 'block';
  /** The active one. */
  mediator: { address: string };
  mediators: MediatorStatus[];
  metaservers: MetaserverStatus[];
  dataservers: DataServerStatus[];
  /** How many bad replicas each block survives when all servers are well: once all hold it, and right after a write. */
  survives: { settled: number; afterWrite: number };
  survivesNow: Survival;
  /** Counters since the mediator started. */
  counters: Record<string, number>;
}

export type Ballot =
  | { state: 'present'; hash: Hash; length: number }
  | { state: 'absent' }
  | { state: 'damaged' }
  | { state: 'unreachable' };

export interface BlockVotes {
  index: number;
  version: number;
  witness: Hash;
  length: number;
  verdict: 'agreed' | 'no-quorum';
  agreeing: number;
  ballots: { server: string; ballot: Ballot }[];
}

export interface ScrubProgress {
  running: boolean;
  done: number;
  total: number;
  /** Blocks on which some replica dissented or was absent, replicas mended, blocks without a quorum, versions no file holds that were removed. */
  dissents: number;
  repaired: number;
  unreadable: number;
  orphansRemoved: number;
}

export interface AdminService {
  status(request: Record<string, never>, options?: CallOptions): Promise<ClusterStatus>;
  votes(request: { path: string }, options?: CallOptions): Promise<{ blocks: BlockVotes[] }>;
  /** Entries of one server, with the path of each block's file (null when no file holds it). */
  listContents(
    request: { server: string; after?: { inode: number; index: number; version: number }; limit: number },
    options?: CallOptions,
  ): Promise<{
    entries: (ListEntry & { path: string | null })[];
    next?: { inode: number; index: number; version: number };
  }>;
  /** Test hook: replaces every block of the file on that server. `text` as in HookService. */
  corrupt(request: { path: string; server: string; text?: string }, options?: CallOptions): Promise<{ blocks: number }>;
  terminate(request: { server: string }, options?: CallOptions): Promise<Record<string, never>>;
  /**
   * Answers when the mediator has the new process: a data server can be written to, whether its rebuild is done or not; one of
   * several metaservers is a voter and has what was committed when it came back, or too few of them are there to have a leader.
   */
  restart(request: { server: string; blank: boolean }, options?: CallOptions): Promise<Record<string, never>>;
  /** Which servers hold which blocks of a file. */
  locate(
    request: { path: string },
    options?: CallOptions,
  ): Promise<{ blocks: { index: number; version: number; servers: string[] }[] }>;
  /** Starts a scrub of all files or of one; answers its progress. A second call while one runs answers the running one. */
  scrub(request: { path?: string }, options?: CallOptions): Promise<ScrubProgress>;
  scrubProgress(request: Record<string, never>, options?: CallOptions): Promise<ScrubProgress>;
  /** Live settings; a set is kept in the config file by the caller. Unknown keys and values that don't fit are REFUSED. */
  configure(request: { key: string; value?: string }, options?: CallOptions): Promise<{ key: string; value: string }>;
}
