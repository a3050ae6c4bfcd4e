// The file-system operations, one set behind both bindings: what a request of
// the kernel means in terms of the FileService. Every one fails with FileError,
// or with a ServiceError, which programs see as EIO. Puts the parts together.
import type { FileService, FileSystemSpace } from '../../protocol/services/files.js';
import type { SessionService } from '../../protocol/services/sessions.js';
import { CLIENT_ID_BYTES, RequestIds } from '../../protocol/values/request-ids.js';
import type { RepeatedCalls } from '../../protocol/wire/repeated-calls.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import { AccessTimes } from '../files/access-times.js';
import { CachedReads } from '../files/cached-reads.js';
import { FileContent } from '../files/file-content.js';
import { FileLocks } from '../files/file-locks.js';
import { OpenFiles } from '../files/open-files.js';
import { Privileges } from '../files/privileges.js';
import { HandleTable } from '../handles/handle-table.js';
import { KnownInodes } from '../inodes/known-inodes.js';
import { UnsyncedChanges } from '../inodes/unsynced-changes.js';
import type { AccessTimesMode } from '../mount-settings.js';
import { retryLostRequests } from '../session/lost-requests.js';
import { MountSession } from '../session/mount-session.js';
import { OpenInodes } from '../session/open-inodes.js';
import { MemoryBudget } from '../write-back/memory-budget.js';
import { ExtendedAttributes } from './extended-attributes.js';
import { FileAttributes } from './file-attributes.js';
import { Names } from './names.js';
import { OpenDirectories } from './open-directories.js';

export interface OperationSettings {
  attributeTimeoutMs: number;
  maximumDirtyBytes: number;
  /** Default noatime. */
  accessTimes?: AccessTimesMode;
}

/** What a mount uses of its mediator beside files. */
export interface MediatorConnection {
  /** Without it the kernel keeps the locks, and nothing is heard of other mounts. */
  sessions?: SessionService;
  /** Of the connection to a mediator in another process: requests that are lost with the connection are repeated. */
  lost?: RepeatedCalls;
}

export class Operations {
  readonly names: Names;
  readonly attributes: FileAttributes;
  readonly extendedAttributes: ExtendedAttributes;
  readonly files: OpenFiles;
  readonly content: FileContent;
  readonly locks: FileLocks;
  readonly directories: OpenDirectories;

  readonly #handles = new HandleTable();
  readonly #known: KnownInodes;
  readonly #unsynced: UnsyncedChanges;
  readonly #accessTimes: AccessTimes;
  readonly #budget: MemoryBudget;
  readonly #session: MountSession | undefined;
  readonly #service: FileService;

  /** @param mediator how `service` is connected; by default it is in this process, and this mount is alone */
  constructor(
    service: FileService,
    settings: OperationSettings,
    kernelCache: KernelCache,
    runtime: Runtime,
    { sessions, lost }: MediatorConnection = {},
  ) {
    const { attributeTimeoutMs, maximumDirtyBytes, accessTimes = 'noatime' } = settings;
    const openInodes = new OpenInodes(sessions !== undefined);
    this.#session = sessions === undefined ? undefined : this.#newSession(sessions, openInodes, runtime, lost);
    const files = lost === undefined ? service : this.#repeating(service, lost, runtime);
    this.#service = files;
    const handles = this.#handles;
    const unsynced = new UnsyncedChanges(files, handles, runtime);
    this.#unsynced = unsynced;
    const known = new KnownInodes({ files, kernelCache, runtime, openInodes, unsynced, attributeTimeoutMs });
    this.#known = known;
    this.#accessTimes = new AccessTimes(files, runtime, accessTimes, (attributes) => {
      known.learn(attributes);
      kernelCache.forgetAttributes(attributes.inode);
    });
    this.#budget = new MemoryBudget(maximumDirtyBytes, () => {
      for (const file of known.openFiles) if (file.isUnsent) void file.flush();
    });
    const privileges = new Privileges(files, known, kernelCache);
    const cachedReads = new CachedReads(files, known);
    this.attributes = new FileAttributes({ files, handles, known, kernelCache });
    this.extendedAttributes = new ExtendedAttributes(files, known);
    this.names = new Names(files, known, this.attributes);
    this.locks = new FileLocks({ session: this.#session, handles, known, runtime });
    const shared = { files, handles, known, kernelCache, budget: this.#budget, privileges, cachedReads };
    this.files = new OpenFiles({ ...shared, locks: this.locks, runtime });
    this.content = new FileContent({ ...shared, accessTimes: this.#accessTimes });
    this.directories = new OpenDirectories(handles, unsynced, {
      files,
      clock: runtime.clock,
      attributeTimeoutMs,
      changes: () => known.changes,
    });
  }

  /** Before the first operation. */
  async start(): Promise<void> {
    await this.#session?.start();
    await this.#unsynced.start();
  }

  /** After the last operation: stores everything pending and gives up what was held. */
  async end(): Promise<void> {
    await this.files.flushAll();
    this.#unsynced.end();
    await this.#session?.end();
  }

  /** What is kept in memory, in entries. */
  kept(): Record<string, number> {
    return {
      handles: this.#handles.size,
      ...this.#known.kept(),
      ...this.#unsynced.kept(),
      dirtyBytes: this.#budget.usedBytes,
      toldAccessTimes: this.#accessTimes.size,
      ...this.#session?.kept(),
    };
  }

  /** Grows with every change of other mounts. */
  get heardChanges(): number {
    return this.#known.heardChanges;
  }

  statfs(): Promise<FileSystemSpace> {
    return this.#service.statfs({});
  }

  /** The kernel no longer knows the inode. */
  forget(inode: number): void {
    this.#known.forget(inode);
  }

  #newSession(
    sessions: SessionService,
    openInodes: OpenInodes,
    runtime: Runtime,
    lost: RepeatedCalls | undefined,
  ): MountSession {
    return new MountSession(
      sessions,
      {
        outdated: (items) => this.#known.outdated(items),
        missedChanges: () => this.#known.missedChanges(),
        open: () => openInodes.all,
        takeClosed: () => openInodes.takeClosed(),
        lostLocks: (locks) => this.locks.lost(locks),
      },
      runtime,
      lost,
    );
  }

  #repeating(service: FileService, lost: RepeatedCalls, runtime: Runtime): FileService {
    const client = this.#session?.client ?? randomHex(runtime.random, CLIENT_ID_BYTES);
    return retryLostRequests(
      service,
      lost,
      new RequestIds(client),
      async (limits) => this.#session?.begun(limits) ?? limits,
    );
  }
}
