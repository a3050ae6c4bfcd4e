// What this mount knows of inodes: the files that are open here, attributes from
// answers to changes, voted bytes for small reads. What another mount changes
// is forgotten.
import type { Attributes, Changed, FileService } from '../../protocol/services/files.js';
import type { OutdatedItem } from '../../protocol/services/sessions.js';
import { assert } from '../../runtime/assert.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import { ReadCache } from '../cache/read-cache.js';
import { RecentAttributes } from '../cache/recent-attributes.js';
import type { OpenInodes } from '../session/open-inodes.js';
import type { WriteBackFile } from '../write-back/write-back-file.js';
import type { UnsyncedChanges } from './unsynced-changes.js';

export interface KnownInodesDependencies {
  files: FileService;
  kernelCache: KernelCache;
  runtime: Runtime;
  openInodes: OpenInodes;
  unsynced: UnsyncedChanges;
  attributeTimeoutMs: number;
}

export class KnownInodes {
  readonly readCache = new ReadCache();
  readonly openInodes: OpenInodes;
  readonly unsynced: UnsyncedChanges;
  readonly #open = new Map<number, WriteBackFile>();
  readonly #recent: RecentAttributes;
  #changeCount = 0;
  #heardCount = 0;

  readonly #files: FileService;
  readonly #kernelCache: KernelCache;
  readonly #runtime: Runtime;

  constructor({ files, kernelCache, runtime, openInodes, unsynced, attributeTimeoutMs }: KnownInodesDependencies) {
    this.openInodes = openInodes;
    this.unsynced = unsynced;
    this.#files = files;
    this.#kernelCache = kernelCache;
    this.#runtime = runtime;
    this.#recent = new RecentAttributes(runtime.clock, attributeTimeoutMs);
  }

  kept(): Record<string, number> {
    return { openFiles: this.#open.size, readCacheFiles: this.readCache.size, ...this.#recent.kept() };
  }

  /** Grows with every change that this mount makes or hears of. */
  get changes(): number {
    return this.#changeCount;
  }

  /** Grows when this mount hears of changes of others, and when it may have missed some. */
  get heardChanges(): number {
    return this.#heardCount;
  }

  /** The file, while it is open here. */
  file(inode: number): WriteBackFile | undefined {
    return this.#open.get(inode);
  }

  get openFiles(): WriteBackFile[] {
    return [...this.#open.values()];
  }

  opened(file: WriteBackFile): void {
    this.#open.set(file.inode, file);
    this.openInodes.add(file.inode);
  }

  closed(inode: number): void {
    assert((this.#open.get(inode)?.handles.size ?? 0) === 0, 'a file is forgotten that has handles');
    if (this.#open.delete(inode)) this.openInodes.remove(inode);
    this.readCache.forget(inode);
  }

  /** Attributes that the service answered to a change made here. */
  learn(attributes: Attributes): void {
    this.#recent.remember(attributes);
    this.#open.get(attributes.inode)?.update(attributes);
  }

  /** A change was made here. @param changed the attributes of what it touched, as its answer has them */
  noteChange(changed: readonly Attributes[] = []): void {
    this.#changeCount += 1;
    for (const attributes of changed) this.learn(attributes);
    this.unsynced.add(changed.map(({ inode }) => inode));
  }

  /** A write or a change of size was made here, which is durable with its answer. */
  noteCommit(attributes: Attributes): void {
    this.#changeCount += 1;
    this.learn(attributes);
  }

  /** Resolves with the outcome of a change, whose attributes are then known. A change that fails may still have been made. */
  async noteOutcome<Result extends Partial<Changed>>(change: Promise<Result>): Promise<Result> {
    let changed: readonly Attributes[] = [];
    try {
      const result = await change;
      changed = result.changed ?? [];
      return result;
    } finally {
      this.noteChange(changed);
    }
  }

  /** Attributes from the answer to a change that was made just now: the service need not be asked. */
  ofLastChange(inode: number): Attributes | undefined {
    const last = this.#recent.ofLastChange(inode);
    return last === undefined ? undefined : this.current(last);
  }

  /** Whether the inode has no extended attributes, by an answer of late or by that to its open. */
  hasNoExtendedAttributes(inode: number): boolean {
    const known = this.#open.get(inode)?.attributes;
    return known === undefined ? this.#recent.hasNoExtendedAttributes(inode) : known.extendedAttributes === 0;
  }

  /** Attributes that the service answered, as programs here must see them: the newest, with what is pending. */
  current(fetched: Attributes): Attributes {
    const newest = this.#recent.newest(fetched);
    return this.#open.get(fetched.inode)?.update(newest) ?? newest;
  }

  /** Forgets attributes of the inode. */
  forget(inode: number): void {
    this.#recent.forget(inode);
  }

  /** Another mount has changed these. Resolves when this mount and its kernel have forgotten what they knew of them. */
  async outdated(items: readonly OutdatedItem[]): Promise<void> {
    this.#heardCount++;
    this.noteChange();
    const refreshed: Promise<void>[] = [];
    for (const [index, item] of items.entries()) {
      if ('name' in item) {
        this.#kernelCache.forgetName(item.parent, item.name);
        // Two names, one right after the other, are those of a rename.
        const before = items[index - 1];
        if (before !== undefined && 'name' in before) this.#kernelCache.followRename(before, item);
        continue;
      }
      this.forget(item.inode);
      if (item.content) {
        this.readCache.forget(item.inode);
        this.#kernelCache.forgetContent(item.inode);
      } else {
        this.#kernelCache.forgetAttributes(item.inode);
      }
      refreshed.push(this.#refresh(item.inode));
    }
    await Promise.all([...refreshed, this.#kernelCache.forgotten()]);
  }

  /** Other mounts may have changed anything: resolves when this mount and its kernel have forgotten all. */
  async missedChanges(): Promise<void> {
    this.#heardCount++;
    this.noteChange();
    void this.unsynced.check();
    const refreshed: Promise<void>[] = [];
    this.#recent.clear();
    for (const [inode, file] of this.#open) {
      this.readCache.forget(inode);
      // A crash of the metaserver may have undone changes: then a lower revision is the newest.
      file.forgetRevision();
      refreshed.push(this.#refresh(inode));
    }
    this.#kernelCache.forgetEverything();
    await Promise.all([...refreshed, this.#kernelCache.forgotten()]);
  }

  /** Fetches the attributes of an open file anew: appends and reads to the end depend on its size. */
  async #refresh(inode: number): Promise<void> {
    if (!this.#open.has(inode)) return;
    try {
      this.current(await this.#files.getattr({ inode }));
    } catch (error) {
      rethrowProgramFault(error);
      this.#runtime.log.debug('mount.refresh_failed', { inode, ...errorFields(error) });
    }
  }
}
