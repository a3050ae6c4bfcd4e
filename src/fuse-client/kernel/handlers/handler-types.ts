import type { Clock } from '../../../runtime/clock.js';
import type { Operations } from '../../operations/operations.js';
import type { Arguments } from '../codec/request-types.js';
import type { DirectoryPlaces } from '../known/directory-places.js';
import type { InodeTable } from '../known/inode-table.js';
import type { ListedDirectories } from '../known/listed-directories.js';

/** Requests about files and names; the session itself answers the others. */
export type FileArguments = Exclude<Arguments, { kind: 'init' | 'forget' | 'interrupt' | 'destroy' | 'refused' }>;

export interface HandlerDependencies {
  operations: Operations;
  inodes: InodeTable;
  places: DirectoryPlaces;
  listed: ListedDirectories;
  clock: Clock;
  attributeTimeoutMs: number;
  /** The kernel obeys access control lists: known once it has greeted. */
  obeysLists: boolean;
  /** Tells the kernel that its attributes of the inode are outdated. */
  forgetAttributes(inode: number): void;
}

export interface RequestContext {
  /** Aborts when the caller was interrupted and the request is given up. */
  signal(): AbortSignal;
  /** `action` undoes the request; called when its reply was not delivered. */
  ifUndelivered(action: () => Promise<void>): void;
}
