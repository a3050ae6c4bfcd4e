// What this mount knows of inodes: the files that are open here, attributes
// that answers to changes brought, voted bytes kept for small reads. All of it
// is forgotten where another mount has changed something.
import type { Attributes, FileService } from '../../protocol/services/files.js';
import type { OutdatedItem } from '../../protocol/services/sessions.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import { ReadCache } from '../cache/read-cache.js';
import { RecentAttributes } from '../cache/recent-attributes.js';
import type { OpenInodes } from '../session/open-inodes.js';
import type { WriteBackFile } from '../write-back/write-back-file.js';
import type { UnsyncedChanges } from './unsynced-changes.js';

export class KnownInodes {
  readonly readCache = new ReadCache();
  readonly #open = new Map<number, WriteBackFile>();
  readonly #recent: RecentAttributes;
  #changeCount = 0;

  readonly #files: FileService;
  readonly #kernelCache: KernelCache;
  readonly #runtime: Runtime;

  constructor(
    files: FileService,
    kernelCache: KernelCache,
    runtime: Runtime,
    readonly openInodes: OpenInodes,
    readonly unsynced: UnsyncedChanges,
    attributeTimeoutMs: number,
  ) {
    this.#files = files;
    this.#kernelCache = kernelCache;
    this.#runtime = runtime;
    this.#recent = new RecentAttributes(runtime.clock, attributeTimeoutMs);
  }

  kept(): Record<string, number> {
    return { openFiles: this.#open.size, readCacheFiles: this.readCache.size, ...this.#recent.kept() };
  }

  /** Grows with every change made through this mount, or heard of. */
  get changes(): number {
    return this.#changeCount;
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
    if (this.#open.delete(inode)) this.openInodes.remove(inode);
    this.readCache.forget(inode);
  }

  /** Attributes that the service answered to a change made here. */
  learn(attributes: Attributes): void {
    this.#recent.remember(attributes);
    this.#open.get(attributes.inode)?.over(attributes);
  }

  /** @param changed what the change's answer said of what it touched */
  noteChange(changed: readonly Attributes[] = []): void {
    this.#changeCount += 1;
    for (const attributes of changed) this.learn(attributes);
    this.unsynced.add(changed.map(({ inode }) => inode));
  }

  /** The same for a write or a change of size, which is durable with its answer. */
  noteCommit(attributes: Attributes): void {
    this.#changeCount += 1;
    this.learn(attributes);
  }

  /** Attributes without asking the service, where the answer to a change told them just now. */
  ofLastChange(inode: number): Attributes | undefined {
    const last = this.#recent.ofLastChange(inode);
    return last === undefined ? undefined : this.current(last);
  }

  /** Whether the inode has no extended attributes, as was answered lately or when it was opened. */
  isBare(inode: number): boolean {
    const known = this.#open.get(inode)?.attributes;
    return known === undefined ? this.#recent.isBare(inode) : known.extendedAttributes === 0;
  }

  /** Attributes that the service answered, as this mount must see them: the newest, with what it has not sent yet. */
  current(fetched: Attributes): Attributes {
    const newest = this.#recent.newest(fetched);
    return this.#open.get(fetched.inode)?.over(newest) ?? newest;
  }

  /** What is remembered of the inode's attributes counts no more. */
  forget(inode: number): void {
    this.#recent.forget(inode);
  }

  /** Another mount has changed these. Resolves when neither this mount nor the kernel uses what they had of them. */
  async outdated(items: readonly OutdatedItem[]): Promise<void> {
    this.noteChange();
    const refreshed: Promise<void>[] = [];
    for (const [index, item] of items.entries()) {
      if ('name' in item) {
        this.#kernelCache.forgetName(item.parent, item.name);
        // Only a rename tells of two names, one right after the other.
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

  /** The same where others may have changed anything. */
  async missedChanges(): Promise<void> {
    this.noteChange();
    void this.unsynced.check();
    const refreshed: Promise<void>[] = [];
    this.#recent.clear();
    for (const [inode, file] of this.#open) {
      this.readCache.forget(inode);
      // A crash of the metaserver may have undone changes: older revisions count again.
      file.forgetRevision();
      refreshed.push(this.#refresh(inode));
    }
    this.#kernelCache.forgetEverything();
    await Promise.all([...refreshed, this.#kernelCache.forgotten()]);
  }

  /** Open files know their size by themselves: appending and reading to the end depend on it. */
  async #refresh(inode: number): Promise<void> {
    if (!this.#open.has(inode)) return;
    try {
      this.current(await this.#files.getattr({ inode }));
    } catch (error) {
      this.#runtime.log.debug('mount.refresh_failed', { inode, reason: String(error) });
    }
  }
}
