// What a server of the catalog answers, whatever the protocol: the interfaces (XML-RPC, HTTP, the shell) stand on this.
import type { Command } from './map/commands.js';

export type CatalogProtocol = 'raft' | 'viewstamped' | 'primary-backup' | 'quorum' | 'lazy';

/** What the asker has seen, and how it asks. */
export interface Asker {
  /** The vector timestamp that it brings; only lazy looks at it. */
  readonly timestamp?: string;
  /** The same for each time that a request is made. */
  readonly token?: string;
  /** How long it waits while nobody leads; without end when absent. */
  readonly limitMs?: number;
}

export interface Found {
  readonly bytes: Uint8Array;
  readonly version: number;
  readonly timestamp?: string;
  /** Why this may be older than what the asker has seen. */
  readonly stale?: string;
}

export interface Listed {
  readonly names: readonly string[];
  readonly timestamp?: string;
  readonly stale?: string;
}

export interface Changed {
  readonly version: number;
  readonly timestamp?: string;
  /** Why it may have been made without something that the asker has seen. */
  readonly stale?: string;
}

export interface ServerStanding {
  readonly name: string;
  readonly address: string;
  /** leader, follower, learner …; peer where all are equal; unreachable; crashed */
  readonly role: string;
}

export interface CatalogStatus {
  readonly name: string;
  readonly protocol: CatalogProtocol;
  readonly role: string;
  readonly isCrashed: boolean;
  /** As far as this server knows; null when it knows none, or nobody leads in this protocol. */
  readonly leader: string | null;
  readonly servers: readonly ServerStanding[];
  /** What a reader and a writer may count on. */
  readonly promise: string;
  /** Of the protocol: terms, indices, timestamps. */
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** All throw CatalogError. */
export interface Catalog {
  readonly protocol: CatalogProtocol;
  /** Whether this server takes itself for the leader, or for one of those that take requests where nobody leads. */
  readonly isLeader: boolean;
  readonly isCrashed: boolean;
  change(command: Command, asker?: Asker): Promise<Changed>;
  get(path: string, asker?: Asker): Promise<Found>;
  /** The names of the children. */
  list(path: string, asker?: Asker): Promise<Listed>;
  /** Everything directly below a path that is there, or not. Where one leads, it asks a majority first: it waits while most are crashed. */
  below(path: string, asker?: Asker): Promise<readonly (readonly [name: string, value: Found])[]>;
  /** As it is applied on this server, crashed or not; 0 when it is not there. */
  versionHere(path: string): number;
  /** Resolves when the version here is another one, or after so long. */
  waitForChange(path: string, version: number, limitMs: number): Promise<void>;
  status(): Promise<CatalogStatus>;
  /** What the protocol does with messages: roles, terms, indices, timestamps. */
  readonly facts: CatalogStatus['details'];
  /** Takes no part until it is restored. */
  crash(): Promise<void>;
  restore(): Promise<void>;
  /** Another server may come: all know its address from then on. */
  addServer(name: string, address: string, limitMs?: number): Promise<void>;
  /** Takes a server out of the group. @returns false when that was done before */
  removeServer(name: string, limitMs?: number): Promise<boolean>;
  /** In order: what was answered stays. */
  close(): Promise<void>;
}
