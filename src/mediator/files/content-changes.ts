// Changes of content: writes, truncations, holes and preallocation. Durable when
// they answer. Tells the other mounts, and wakes the garbage collector.
import { FileError } from '../../protocol/errors.js';
import { type Attributes, type FileService, MAXIMUM_FILE_BYTES } from '../../protocol/services/files.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { Attempt } from '../../protocol/values/request-ids.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { EarlierAttempts } from '../metadata/earlier-attempts.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import { requireRoom, spaceOf } from '../replicas/space.js';
import type { Sessions } from '../sessions/sessions.js';
import type { GarbageCollector } from '../upkeep/garbage.js';
import type { Appends } from '../writing/appends.js';
import type { FileWrite } from '../writing/file-write.js';
import type { FileWriter } from '../writing/file-writer.js';

interface Dependencies {
  metadata: MetadataService;
  blockMap: BlockMap;
  writer: FileWriter;
  appends: Appends;
  earlier: EarlierAttempts;
  garbage: GarbageCollector;
  sessions: Sessions;
  replicas: ReplicaSet;
}

export class ContentChanges {
  readonly #metadata: MetadataService;
  readonly #blockMap: BlockMap;
  readonly #writer: FileWriter;
  readonly #appends: Appends;
  readonly #earlier: EarlierAttempts;
  readonly #garbage: GarbageCollector;
  readonly #sessions: Sessions;
  readonly #replicas: ReplicaSet;

  constructor({ metadata, blockMap, writer, appends, earlier, garbage, sessions, replicas }: Dependencies) {
    this.#metadata = metadata;
    this.#blockMap = blockMap;
    this.#writer = writer;
    this.#appends = appends;
    this.#earlier = earlier;
    this.#garbage = garbage;
    this.#sessions = sessions;
    this.#replicas = replicas;
  }

  /** @param appendedFrom the offset from which on the bytes were appended */
  async write(write: FileWrite, options: CallOptions | undefined, appendedFrom?: number): Promise<Attributes> {
    const session = this.#sessions.countWrite(options);
    try {
      const attributes = await this.#hurryWhenFull(() =>
        this.#earlier.unlessCarriedOut(write, () => this.#appends.write(write, appendedFrom)),
      );
      this.#changed(write.inode, options);
      return attributes;
    } catch (error) {
      // A large cut is made in steps, and some may have been made. The caller does not know either.
      if (write.truncateTo !== null || write.zeros !== undefined) this.#changed(write.inode, undefined);
      throw error;
    } finally {
      if (session !== undefined) session.writes--;
    }
  }

  async fallocate(
    request: Parameters<FileService['fallocate']>[0],
    options: CallOptions | undefined,
  ): Promise<Attributes> {
    const { id, again, inode, offset, length, zeros, keepsSize, modifyTimeNs } = request;
    // fallocate(2); the kernel refuses it already.
    if (!(offset >= 0 && length > 0)) throw new FileError('EINVAL', 'a range has at least one byte');
    const end = Math.min(offset + length, MAXIMUM_FILE_BYTES);
    if (end < offset + length && !(zeros && keepsSize)) {
      throw new FileError('EFBIG', `files end at ${MAXIMUM_FILE_BYTES} bytes`);
    }
    const change = async (): Promise<Attributes> => {
      await this.#writer.requireQuorum(inode, 'writing');
      const current = await this.#metadata.query({ name: 'attributes', request: { inode } });
      this.#blockMap.observe(current);
      if (!zeros) requireRoom(spaceOf(this.#replicas), current, offset, end);
      if (keepsSize && (!zeros || end <= offset)) return current;
      const write = {
        ...{ id, again, inode, extents: [], truncateTo: null, modifyTimeNs },
        ...(zeros ? { zeros: { offset, length: end - offset } } : {}),
        ...(keepsSize ? {} : { minimumSizeBytes: end }),
      };
      return this.write(write, options);
    };
    return this.#hurryWhenFull(() => this.#earlier.unlessCarriedOut(request, change));
  }

  /** Before a file is made for writing: refuses it without a write quorum, unless an earlier attempt has made it. */
  async requireQuorum(request: Attempt): Promise<void> {
    try {
      await this.#writer.requireQuorum(null, 'opening');
    } catch (error) {
      if (!(await this.#earlier.wasCarriedOut(request))) throw error;
    }
  }

  /** Tells every mount but the caller's. */
  #changed(inode: number, options: CallOptions | undefined): void {
    this.#garbage.wake();
    this.#sessions.publish([{ inode, content: true }], options);
  }

  /** When there is no room, collects garbage sooner. */
  async #hurryWhenFull<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof FileError && error.code === 'ENOSPC') this.#garbage.hurry();
      throw error;
    }
  }
}
