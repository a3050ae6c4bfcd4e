// The page's test hooks: what they harm is put right by votes, repairs and
// rebuilds, which is what they are there to show.
import { Buffer } from 'node:buffer';
import { FileError, ServiceError } from '../../protocol/errors.js';
import type { AdminService } from '../../protocol/services/admin.js';
import { type FileService, ROOT_INODE } from '../../protocol/services/files.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { copyOf } from '../../protocol/values/pieces.js';
import type { Clock } from '../../runtime/clock.js';
import type { ServerSupervisor } from '../admin/metaserver-hooks.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { Wanted } from './request-shapes.js';

/** Of the guided runs: no file of anybody else is touched. */
const FOLDER = 'nmrfs-runs';
const CALLER = { uid: 0, gid: 0 };
const BLOCKS_PAGE = 512;
const FOLDER_PAGE = 500;

export interface HarmingParts {
  admin: AdminService;
  files: FileService;
  metadata: MetadataService;
  replicas: ReplicaSet;
  supervisor?: ServerSupervisor | undefined;
  testHooks: boolean;
  clock: Clock;
}

export class Harming {
  readonly #parts: HarmingParts;

  constructor(parts: HarmingParts) {
    this.#parts = parts;
  }

  /** Answers how many copies of blocks were replaced by other bytes. */
  async corrupt({ inode, index, servers }: Wanted<'corrupt'>): Promise<{ copies: number }> {
    this.#requireHooks();
    const { metadata, replicas } = this.#parts;
    const chosen = servers.map((name) => replicas.byName(name));
    const down = chosen.find(({ reachable }) => !reachable);
    if (down !== undefined) throw new ServiceError('FAILED', `${down.name} is down`);
    let copies = 0;
    const { sizeBytes, blockSizeBytes } = await metadata.query({ name: 'attributes', request: { inode } });
    const end = index === undefined ? Math.ceil(sizeBytes / blockSizeBytes) : index + 1;
    for (let first = index ?? 0; first < end; first += BLOCKS_PAGE) {
      const request = { inode, first, count: Math.min(BLOCKS_PAGE, end - first) };
      const { blocks } = await metadata.query({ name: 'blocks', request });
      for (const { index: at, version } of blocks) {
        for (const replica of chosen) {
          await replica.call(() => replica.hooks.corrupt({ inode, index: at, version }));
          copies++;
        }
      }
    }
    return { copies };
  }

  terminate({ server }: Wanted<'terminate'>): Promise<unknown> {
    this.#requireHooks();
    return this.#parts.admin.terminate({ server });
  }

  restart(request: Wanted<'restart'>): Promise<unknown> {
    this.#requireHooks();
    return this.#parts.admin.restart(request);
  }

  async hold({ server, isHeld }: Wanted<'hold'>): Promise<void> {
    this.#requireHooks();
    const { supervisor } = this.#parts;
    if (supervisor === undefined) throw new ServiceError('FAILED', `nobody supervises ${server} here`);
    await supervisor.hold(server, isHeld);
  }

  configure(request: Wanted<'configure'>): Promise<unknown> {
    this.#requireHooks();
    return this.#parts.admin.configure(request);
  }

  /** As a program writes it and closes it; answers its inode, or with which errno that failed. */
  async write({ name, text }: Wanted<'write'>): Promise<{ inode: number } | { refused: string }> {
    this.#requireHooks();
    const { files, clock } = this.#parts;
    return orRefused(async () => {
      const parent = await this.#folder();
      const request = { parent, name, mode: 0o644, exclusive: false, forWriting: true, caller: CALLER };
      const { inode } = (await files.create(request)).attributes;
      const extents = [{ offset: 0, data: Buffer.from(text) }];
      await files.write({ inode, extents, truncateTo: 0, modifyTimeNs: clock.nowNs() });
      return { inode };
    });
  }

  /** As a program reads it: bytes that won their votes, or with which errno that failed. */
  async read({ name }: Wanted<'read'>): Promise<{ text: string } | { refused: string }> {
    this.#requireHooks();
    const { files } = this.#parts;
    return orRefused(async () => {
      const { inode, sizeBytes } = await files.lookup({ parent: await this.#folder(), name });
      const { pieces } = await files.read({ inode, offset: 0, length: sizeBytes });
      return { text: Buffer.from(copyOf(pieces)).toString('utf8') };
    });
  }

  async clear(): Promise<void> {
    this.#requireHooks();
    const { files } = this.#parts;
    const parent = await this.#folder();
    for (;;) {
      const { entries, done } = await files.readdir({
        inode: parent,
        cookie: 0,
        limit: FOLDER_PAGE,
        attributes: false,
      });
      for (const { name } of entries) await files.unlink({ parent, name, held: [] });
      if (done) break;
    }
    await files.rmdir({ parent: ROOT_INODE, name: FOLDER });
  }

  async #folder(): Promise<number> {
    const { files } = this.#parts;
    try {
      return (await files.lookup({ parent: ROOT_INODE, name: FOLDER })).inode;
    } catch (error) {
      if (!(error instanceof FileError && error.code === 'ENOENT')) throw error;
    }
    const { attributes } = await files.mkdir({ parent: ROOT_INODE, name: FOLDER, mode: 0o755, caller: CALLER });
    return attributes.inode;
  }

  #requireHooks(): void {
    if (this.#parts.testHooks) return;
    throw new ServiceError('REFUSED', 'test hooks are off; set testHooks: true in the config to use them');
  }
}

/** That a program gets an errno is an outcome, not a failure of the question. */
async function orRefused<T>(action: () => Promise<T>): Promise<T | { refused: string }> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof FileError) return { refused: error.code };
    throw error;
  }
}
