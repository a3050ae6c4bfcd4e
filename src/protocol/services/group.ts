// GroupService: what metaservers of one group say to each other, and what a mediator asks each of them.
import type { DiskTrouble } from '../../runtime/disk-trouble.js';
import type { CallOptions } from './service.js';

export type GroupRole = 'leader' | 'candidate' | 'follower' | 'learner' | 'blank';

export interface GroupStatus {
  /** Its member id, which begins with its name; null for a server that does not know yet whether it founds a group. */
  id: string | null;
  /** blank: it belongs to no group yet. */
  role: GroupRole;
  /** Whether it answers MetadataService. */
  isServing: boolean;
  /** The name of the leader, as far as it knows; null when it knows none. */
  leader: string | null;
  /** The term of Raft; the view, in viewstamped replication. */
  term: number;
  lastIndex: number;
  committedIndex: number;
  appliedIndex: number;
  /** For how long its rows lack what it has heard to be committed, or it has not heard of the leader, milliseconds. */
  behindMs: number;
  /** Of the leader: for how long each of the others lacks what is committed, milliseconds. */
  lags: { name: string; ms: number }[];
  /** Who is being sent the whole state, and how far that is, in rows. */
  sending: { name: string; done: number; total: number }[];
  /** Those that belong to the group, as far as this server knows where they are. */
  servers: ServerPlace[];
  /** Names, as this server has them. */
  voters: string[];
  learners: string[];
  trouble: DiskTrouble | null;
  /** Why it takes no part, in words; empty when it does. */
  reason: string;
  freeBytes: number;
  totalBytes: number;
}

/** Where a server is: HOST:PORT. */
export interface ServerPlace {
  name: string;
  address: string;
}

export interface Greeting {
  name: string;
  /** Its member id; null for a server that does not know yet whether it founds a group. */
  id: string | null;
  /** Whether it belongs to a group, or has asked for that only. */
  hasGroup: boolean;
  /** The configured name of the cluster. */
  cluster: string;
  /** Of the namespace that it holds, which is made once; null while it holds none. */
  clusterId: string | null;
  /** Those that belong to its group, as far as it knows where they are. */
  servers: ServerPlace[];
}

export interface GroupService {
  /** Each says who it is. REFUSED by a server of another cluster, FAILED by one that does not know yet. */
  hello(request: Greeting, options?: CallOptions): Promise<Greeting>;
  /** A blank server wants to become a member. NOT_LEADER when another one leads. Resolves when it is a learner or a voter. */
  join(request: { id: string }, options?: CallOptions): Promise<Record<string, never>>;
  /**
   * Another server may come into the group: all of it know its address from then on. NOT_LEADER when another one leads.
   * `cluster` says what the server belongs to, where that is asked for: REFUSED by a server of another one.
   */
  add(request: ServerPlace & { cluster?: string }, options?: CallOptions): Promise<Record<string, never>>;
  /** Takes a server out of the group; nothing happens when it does not belong to it. NOT_LEADER when another one leads. */
  remove(request: { name: string }, options?: CallOptions): Promise<Record<string, never>>;
  /** Has another server lead. NOT_LEADER when another one leads now. */
  transfer(request: { name: string }, options?: CallOptions): Promise<Record<string, never>>;
  /** Messages of the protocol, which may get lost: see src/replication. Answers messages to the sender, if there are any soon. */
  send(request: { from: string; messages: object[] }, options?: CallOptions): Promise<{ messages: object[] }>;
  /** A whole state in chunks. Answers the number by which the chunks name it. */
  beginState(request: { from: string; term: number; mark: object }, options?: CallOptions): Promise<{ state: number }>;
  stateChunk(request: { state: number; bytes: Uint8Array }, options?: CallOptions): Promise<Record<string, never>>;
  /** Resolves when the state is installed or not needed. */
  endState(request: { state: number }, options?: CallOptions): Promise<Record<string, never>>;
  status(request: Record<string, never>, options?: CallOptions): Promise<GroupStatus>;
}
