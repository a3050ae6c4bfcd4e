// MetadataService: what a mediator needs of a metaserver, in three methods.
// A command is a plain value that carries its own time and identifiers and is
// applied by a deterministic function; a query changes nothing.

import type { DiskTrouble } from '../../runtime/disk-trouble.js';
import type { Hash } from '../values/hash.js';
import type { Once, RequestId } from '../values/request-ids.js';
import type { BlockKey, Version } from './blocks.js';
import type {
  AttributeChanges,
  Attributes,
  Caller,
  Changed,
  DirectoryEntry,
  FileKind,
  FileName,
  RenameMode,
} from './files.js';
import type { ServerPlace } from './group.js';
import type { CallOptions } from './service.js';

/** A block's entry in the block map: which version counts, and its witness. */
export interface BlockReference {
  index: number;
  version: Version;
  hash: Hash;
  length: number;
}

/** What one block of a commit changes; base 0 means that the block map has no entry now. */
export interface BlockChange {
  index: number;
  base: Version;
  /** The new entry, or null to make a hole. */
  next: { version: Version; hash: Hash; length: number } | null;
}

/** Blocks from index `first` up to, not including, `end`. */
export interface BlockRange {
  first: number;
  end: number;
}

/** A version that no block map names any more, until all data servers have forgotten it. */
export interface GarbageEntry extends BlockKey {
  sequence: number;
}

export interface ServerRecord {
  name: string;
  storeId: string;
  /** rebuilding: it came back blank, and not all blocks have been put back yet. */
  state: 'complete' | 'rebuilding';
}

/**
 * named: it has a name, or is held open without one. unnamed: it never had one, and may still get one. purging: it is being taken
 * apart and counts as gone.
 */
export type InodeState = 'named' | 'purging' | 'unnamed';

/** An inode with what its attributes do not say. */
export interface WholeInode {
  attributes: Attributes;
  /** Of a directory. */
  parent: number;
  /** Entries or blocks. */
  children: number;
  /** Of the next entry of a directory. */
  nextCookie: number;
  state: InodeState;
}

/** Every command by its name: what it takes and what it answers. All fail with FileError and then change nothing. */
export interface Commands {
  /**
   * A new inode under a name. `blockSizeBytes` matters for files, `target` for symlinks, `device` for devices. `inode`: the
   * number that an earlier execution of this command gave it and a crash lost; EINVAL when it was never given out or is in use.
   */
  make: {
    request: {
      parent: number;
      name: FileName;
      kind: FileKind;
      mode: number;
      umask?: number | undefined;
      caller: Caller;
      device: number;
      target: string;
      blockSizeBytes: number;
      /** false: an existing file is answered instead of EEXIST, whatever `inode` says. */
      exclusive: boolean;
      inode?: number | undefined;
    };
    result: { attributes: Attributes; created: boolean } & Changed;
  };
  /** A new file without a name: an orphan as those that are held, which `link` may give one. `inode` as for `make`. */
  makeUnnamed: {
    request: {
      parent: number;
      mode: number;
      umask?: number;
      caller: Caller;
      blockSizeBytes: number;
      inode?: number | undefined;
    };
    result: { attributes: Attributes };
  };
  link: { request: { inode: number; parent: number; name: FileName }; result: { attributes: Attributes } & Changed };
  /** `held` inodes keep content when their last name goes (orphans), until `purge`. */
  unlink: {
    request: { parent: number; name: FileName; held: number[] };
    result: { inode: number; links: number } & Changed;
  };
  rmdir: { request: { parent: number; name: FileName }; result: { inode: number } & Changed };
  /**
   * `whiteout`: a character device 0:0 with this owner takes the place of the name that is moved, and is answered by its
   * number; nothing where nothing is moved; EINVAL with an exchange. `inode`, for it, as for `make`.
   */
  rename: {
    request: {
      parent: number;
      name: FileName;
      newParent: number;
      newName: FileName;
      mode: RenameMode;
      held: number[];
      whiteout?: Caller | undefined;
      inode?: number | undefined;
    };
    result: { replaced?: number; whiteout?: number } & Changed;
  };
  /** Attributes other than the size; clears setuid and setgid where POSIX says so. */
  setattr: {
    request: { inode: number; changes: Omit<AttributeChanges, 'sizeBytes'>; caller: Caller };
    result: { attributes: Attributes };
  };
  /**
   * The switch: compare-and-set on block versions. First all entries from `truncateTo` on go (and the size becomes it), and
   * all entries of the `hole`, then `changes` apply, then the size grows to `minimumSizeBytes`. Any base that differs: 'conflict', with the current entries
   * of the named indexes, and nothing changes. A new version that is retired: 'retired', with the number that new versions
   * start at, and nothing changes. More entries to go than one command drops: 'large', with the attributes as they are, and nothing
   * changes; `trim` is for these. `missing`: servers that do not hold the new versions (they catch up later).
   */
  commit: {
    request: {
      inode: number;
      changes: BlockChange[];
      truncateTo: number | null;
      /** Blocks that become holes, whatever version they have: from index `first` up to, not including, `end`. */
      hole?: BlockRange;
      minimumSizeBytes: number;
      /** When the write was made, which is its modification time, and its change time unless that is later already; null: both stay. */
      modifyTimeNs: bigint | null;
      missing: string[];
    };
    /** `earlier`: it had been carried out before under the same id, with this as its first version (0: with none). */
    result:
      | { state: 'committed'; attributes: Attributes; earlier?: Version }
      | { state: 'conflict'; blocks: BlockReference[] }
      | { state: 'retired'; below: Version }
      | { state: 'large'; attributes: Attributes };
  };
  /**
   * A step towards a truncation or a hole that is too large for one commit: drops a bounded number of the entries that `commit`
   * would drop for the same `truncateTo` and `hole`. For a truncation these are the last ones, and the size becomes where they
   * began, if it is larger; a hole leaves the size. Nothing happens when the file's revision is not `revision`: it has changed
   * since, maybe by this very step. To be repeated with the answer's revision until it is `done`: nothing of it is left to drop.
   */
  trim: {
    request: Pick<Commands['commit']['request'], 'inode' | 'truncateTo' | 'hole' | 'modifyTimeNs'> & {
      revision: number;
    };
    result: { attributes: Attributes; done: boolean };
  };
  setxattr: {
    request: {
      inode: number;
      name: string;
      value: Uint8Array;
      mode: 'set' | 'create' | 'replace';
      killSetgid?: boolean;
    };
    result: { attributes: Attributes };
  };
  removexattr: { request: { inode: number; name: string }; result: { attributes: Attributes } };
  /** Takes apart an inode without names: its blocks become garbage, a bounded number at a time; repeat until done. */
  purge: { request: { inode: number }; result: { done: boolean } };
  /**
   * Inode numbers first … first + count - 1, for files that the caller makes: it gives them as `inode`, each once. After a crash
   * they are still free, durable or not, since an unclean start skips more numbers than are given out at a time.
   */
  reserveInodes: { request: { count: number }; result: { first: number } };
  /** Version numbers first … first + count - 1, never given out again. */
  allocate: { request: { count: number }; result: { first: Version } };
  /**
   * From now on no commit, of whichever mediator, names a version below `below`: those that no block map names are garbage for
   * ever. Answers the limit that holds: an earlier one may be higher, and none is higher than the next version to be allocated.
   */
  retireVersions: { request: { below: Version }; result: { below: Version } };
  /** These garbage entries are gone from all servers. */
  collected: { request: { sequences: number[] }; result: Record<string, never> };
  /** Adds or changes the record of a data server. A change of storeId drops the first of its `missed` entries; the others go as it catches up. */
  registerServer: { request: ServerRecord; result: Record<string, never> };
  /** The server now holds these versions. */
  caughtUp: { request: { server: string; blocks: BlockKey[] }; result: Record<string, never> };
  /**
   * Another mediator becomes the active one, if `seen` is still the epoch and its holder has resigned or has said nothing for
   * `afterSilentMs`. `process`: random, of the process that asks; the holder is told again that it is. Always durable.
   */
  takeOver: {
    request: { name: string; process: string; seen: number; afterSilentMs: number };
    result: { taken: boolean; epoch: number };
  };
  /** The holder of the epoch is no longer the active one; nothing happens when another epoch has begun. */
  resign: { request: { epoch: number }; result: Record<string, never> };
  /** A metaserver beyond those that are configured: all of them know its address from then on. */
  addMetaserver: { request: ServerPlace; result: Record<string, never> };
  dropMetaserver: { request: { name: string }; result: Record<string, never> };
  /** Whether the request with this command's id was carried out. If it was not, it is refused from now on. */
  abandon: { request: Record<string, never>; result: { isDone: boolean } };
  /**
   * Removes a client's results from the dedupe table, since it will not retry. With `requests`: only if the client has made exactly
   * so many until now (see the query `clients`).
   */
  forgetResults: { request: { client: string; requests?: number | undefined }; result: Record<string, never> };
}

/** Idempotent commands: a retry needs no id, and an id is ignored. */
export const REPEATABLE_COMMANDS = [
  'trim',
  'purge',
  'allocate',
  'reserveInodes',
  'retireVersions',
  'collected',
  'registerServer',
  'caughtUp',
  'takeOver',
  'resign',
  'addMetaserver',
  'dropMetaserver',
  'forgetResults',
] as const satisfies readonly CommandName[];

/** Every query by its name. */
export interface Queries {
  lookup: { request: { parent: number; name: FileName }; result: Attributes };
  attributes: { request: { inode: number }; result: Attributes };
  inode: { request: { inode: number }; result: WholeInode };
  readlink: { request: { inode: number }; result: { target: string } };
  readdir: {
    request: { inode: number; cookie: number; limit: number; attributes: boolean };
    result: { entries: DirectoryEntry[]; done: boolean; directory: WholeInode };
  };
  /** Entries of the block map with first <= index < first + count, in order, the first `most` if given; holes are left out. Includes the attributes, read at the same moment. */
  blocks: {
    request: { inode: number; first: number; count: number; most?: number };
    result: { attributes: Attributes; blocks: BlockReference[] };
  };
  /** Whether the block map names each of these versions; never those of a file that is gone. In the order of `blocks`. */
  named: { request: { blocks: BlockKey[] }; result: { named: boolean[] } };
  /**
   * Files that have names, blocks, and `mostBytes` at most, with their whole block maps, among the next `limit` inodes after
   * `after`, in order; and the last inode that was looked at, `after` when there is no other.
   */
  smallFiles: {
    request: { after: number; limit: number; mostBytes: number };
    result: { files: { attributes: Attributes; blocks: BlockReference[] }[]; last: number };
  };
  /** All blocks of all files in key order, after (inode, index). */
  allBlocks: {
    request: { after?: { inode: number; index: number }; limit: number };
    result: { blocks: (BlockReference & { inode: number })[]; done: boolean };
  };
  getxattr: { request: { inode: number; name: string }; result: { value: Uint8Array } };
  listxattr: { request: { inode: number }; result: { names: string[] } };
  /** Garbage in sequence order, after `after` (0: from the start). */
  garbage: { request: { after: number; limit: number }; result: { entries: GarbageEntry[] } };
  /** Versions that the server lacks, in key order. */
  missed: {
    request: { server: string; after?: { inode: number; index: number }; limit: number };
    result: { blocks: (BlockReference & { inode: number })[] };
  };
  servers: { request: Record<string, never>; result: { servers: ServerRecord[] } };
  /** Clients with results in the dedupe table, in a fixed order, after `after`; `requests`: how many each has made. */
  clients: {
    request: { after?: string; limit: number };
    result: { clients: { client: string; requests: number }[] };
  };
  /** Inodes without names that wait for purge, in order; only those after `after`. */
  orphans: { request: { after?: number; limit: number }; result: { inodes: number[] } };
  /** The path of an inode, one of them if it has several names; null for an orphan. */
  path: { request: { inode: number }; result: { path: string | null } };
  /** @param epoch of the mediator that asks: from then on it speaks for all calls of its connection */
  statistics: {
    /** `identifies`: the caller looks at `start` and `history` before it asks for anything else. */
    request: { identifies?: boolean | undefined; epoch?: number | undefined };
    result: {
      clusterId: string;
      inodes: number;
      blocks: number;
      bytes: number;
      garbage: number;
      /** Names this process: another one may not know commands that were answered and not durable. */
      start: string;
      /** Names an unbroken history: as long as it is the same, over orderly restarts too, no command that was answered is lost. */
      history: string;
    };
  };
  /**
   * The active mediator: its epoch, 0 before the first; its name, '' once it has resigned; and for how long this server has not
   * heard of it, or has not led.
   */
  mediator: {
    request: Record<string, never>;
    result: { epoch: number; name: string; process: string; silentMs: number };
  };
  /** How its disk is, and how many versions each data server lacks, counted up to `limit`. */
  health: {
    request: { limit: number };
    result: {
      /** Why it refuses changes; null when it takes them. Reads are answered all the same. */
      trouble: DiskTrouble | null;
      /** The trouble in the system's words; empty without one. */
      reason: string;
      /** What changes may still take. */
      freeBytes: number;
      totalBytes: number;
      missed: { server: string; blocks: number }[];
    };
  };
}

export type CommandName = keyof Commands;
export type QueryName = keyof Queries;

/** A command with its name and time. */
export type Command = {
  [K in CommandName]: { name: K; timeNs: bigint; request: Commands[K]['request'] } & Once;
}[CommandName];

/** What a command answers. */
export type Answer<K extends CommandName> = Commands[K]['result'] & {
  /** It had been carried out before under the same id: attributes are as they are now, not as the command made them. */
  isRepetition?: true;
};

/** A command that its mediator has answered already. */
export type AnsweredCommand = Command & { id: RequestId };

/** What became of commands that were answered before they came here. */
export interface Outcomes {
  /** Those that could not be carried out as they were answered, by their place in the list. */
  refused: { place: number; reason: string }[];
  /** Whether the disk takes changes, and whether also what needs room. */
  takesChanges: boolean;
  hasRoom: boolean;
}

export interface MetadataService {
  /**
   * Applies a command. `durable`: it, and all before it, are on stable storage when this answers. With an `id` that it knows,
   * it answers what it answered before, with attributes as they are now (ESTALE when the inode is gone meanwhile), and changes
   * nothing; REFUSED when a later request has used the id's slot.
   * A disk that is full refuses what takes room with ENOSPC, one that is read-only everything with EROFS, one that fails with
   * EIO, and nothing has changed. `again`: it had been answered before a crash, and is carried out all the same.
   */
  execute<K extends CommandName>(
    request: {
      name: K;
      timeNs: bigint;
      request: Commands[K]['request'];
      durable: boolean;
      again?: boolean;
    } & Once,
    options?: CallOptions,
  ): Promise<Answer<K>>;
  /** Sees every command that was answered before. */
  query<K extends QueryName>(
    request: { name: K; request: Queries[K]['request'] },
    options?: CallOptions,
  ): Promise<Queries[K]['result']>;
  /** All commands that were answered are on stable storage when this answers. */
  sync(request: Record<string, never>, options?: CallOptions): Promise<Record<string, never>>;
}

/** What a metaserver answers. */
export interface MetaserverService extends MetadataService {
  /**
   * Applies commands, in order, that a mediator has answered by itself: as `execute` with `again`, and without an answer for each
   * (mediator/early). No other call comes between two of them.
   * @throws ServiceError REFUSED when commands before the first are missing, and MALFORMED: none is applied then; OUTCOME_UNKNOWN
   * when the server ceases to lead meanwhile
   */
  executeAll(request: { commands: AnsweredCommand[] }, options?: CallOptions): Promise<Outcomes>;
}
