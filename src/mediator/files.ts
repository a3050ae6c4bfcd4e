// FileService: turns file operations into metadata commands, votes and
// writes. It holds no state of its own that a restart would miss.
import type {
  AttributeChanges,
  Attributes,
  Changed,
  FileName,
  FileService,
  FileSystemSpace,
} from '../protocol/files.js';
import type { CommandName, Commands, MetadataService } from '../protocol/metadata.js';
import type { CallOptions } from '../protocol/service.js';
import type { OutdatedItem } from '../protocol/sessions.js';
import type { Clock } from '../runtime/clock.js';
import type { BlockMap } from './block-map.js';
import type { FileReader } from './file-reader.js';
import type { GarbageCollector } from './garbage.js';
import type { ReplicaSet } from './replica-set.js';
import type { Sessions } from './sessions.js';
import type { Writer } from './writer.js';

/** Entries in one listing at most, so that a reply stays small. */
const MAXIMUM_LISTING = 2000;

type Request<K extends keyof FileService> = Parameters<FileService[K]>[0];
type Reply<K extends keyof FileService> = ReturnType<FileService[K]>;

export class MediatorFiles implements FileService {
  constructor(
    private readonly metadata: MetadataService,
    private readonly blockMap: BlockMap,
    private readonly reader: FileReader,
    private readonly writer: Writer,
    private readonly garbage: GarbageCollector,
    private readonly sessions: Sessions,
    private readonly replicas: ReplicaSet,
    private readonly blockSizeBytes: number,
    private readonly clock: Clock,
  ) {}

  async lookup(request: Request<'lookup'>): Promise<Attributes> {
    return this.#observed(await this.metadata.query({ name: 'lookup', request }));
  }

  async getattr(request: Request<'getattr'>): Promise<Attributes> {
    return this.#observed(await this.metadata.query({ name: 'attributes', request }));
  }

  async setattr({ inode, changes, caller }: Request<'setattr'>, options?: CallOptions): Promise<Attributes> {
    const { sizeBytes, ...others } = changes;
    let attributes: Attributes | null = null;
    if (sizeBytes !== undefined) attributes = await this.#resize(inode, sizeBytes);
    if (attributes === null || hasChanges(others)) {
      const result = await this.#execute('setattr', { inode, changes: others, caller });
      attributes = result.attributes;
      this.blockMap.committed(attributes, null, []);
    }
    const { accessed, ...toTell } = changes;
    if (accessed !== true || Object.keys(toTell).length > 0) {
      this.sessions.publish([{ inode, content: sizeBytes !== undefined }], options);
    }
    return attributes;
  }

  async create({ forWriting, ...request }: Request<'create'>, options?: CallOptions): Reply<'create'> {
    if (forWriting) await this.writer.requireQuorum(null, 'opening');
    return this.#make({ ...request, kind: 'file', device: 0, target: '' }, options);
  }

  mkdir(request: Request<'mkdir'>, options?: CallOptions): Reply<'mkdir'> {
    return this.#make({ ...request, kind: 'directory', device: 0, target: '', exclusive: true }, options);
  }

  mknod(request: Request<'mknod'>, options?: CallOptions): Reply<'mknod'> {
    return this.#make({ ...request, target: '', exclusive: true }, options);
  }

  symlink(request: Request<'symlink'>, options?: CallOptions): Reply<'symlink'> {
    return this.#make({ ...request, kind: 'symlink', mode: 0o777, device: 0, exclusive: true }, options);
  }

  readlink(request: Request<'readlink'>): Reply<'readlink'> {
    return this.metadata.query({ name: 'readlink', request });
  }

  async link(request: Request<'link'>, options?: CallOptions): Reply<'link'> {
    const result = await this.#execute('link', request);
    this.#observed(result.attributes);
    this.#publishNames(result, [request], options);
    return result;
  }

  async unlink(request: Request<'unlink'>, options?: CallOptions): Reply<'unlink'> {
    const result = await this.#execute('unlink', request);
    this.#lostName(result.inode, result.links === 0, request.held, options);
    this.#publishNames(result, [request], options);
    return result;
  }

  async rmdir(request: Request<'rmdir'>, options?: CallOptions): Reply<'rmdir'> {
    const result = await this.#execute('rmdir', request);
    this.#publishNames(result, [request], options);
    return result;
  }

  async rename(request: Request<'rename'>, options?: CallOptions): Reply<'rename'> {
    const result = await this.#execute('rename', request);
    if (result.replaced !== undefined) this.#lostName(result.replaced, true, request.held, options);
    this.#publishNames(result, [request, { parent: request.newParent, name: request.newName }], options);
    return result;
  }

  async open({ inode, forWriting }: Request<'open'>): Promise<Attributes> {
    if (forWriting) await this.writer.requireQuorum(inode, 'opening');
    // One round trip brings the attributes and the block map that the first read needs.
    return this.blockMap.refresh(inode);
  }

  async release({ inode }: Request<'release'>, options?: CallOptions): Reply<'release'> {
    await this.sessions.release(inode, options);
    return {};
  }

  async read({ inode, offset, length }: Request<'read'>): Reply<'read'> {
    return { data: await this.reader.read(inode, offset, length) };
  }

  async write(
    { inode, extents, truncateTo, modifyTimeNs }: Request<'write'>,
    options?: CallOptions,
  ): Promise<Attributes> {
    const attributes = await this.writer.write({ inode, extents, truncateTo: truncateTo ?? null, modifyTimeNs });
    this.garbage.wake();
    this.sessions.publish([{ inode, content: true }], options);
    return attributes;
  }

  async fsync(): Reply<'fsync'> {
    // Data is durable when write answers; what is left are names and attributes.
    await this.metadata.sync({});
    return {};
  }

  async readdir({ limit, ...request }: Request<'readdir'>): Reply<'readdir'> {
    const result = await this.metadata.query({
      name: 'readdir',
      request: { ...request, limit: Math.min(limit, MAXIMUM_LISTING) },
    });
    for (const { attributes } of result.entries) if (attributes !== undefined) this.blockMap.observe(attributes);
    return result;
  }

  async statfs(): Promise<FileSystemSpace> {
    const { inodes } = await this.metadata.query({ name: 'statistics', request: {} });
    // Every block goes to all servers: the smallest of them is what there is.
    const stores = this.replicas.replicas.flatMap(({ store }) => (store === null ? [] : [store]));
    const smallest = (amounts: number[]) => (amounts.length === 0 ? 0 : Math.min(...amounts));
    return {
      blockSizeBytes: this.blockSizeBytes,
      totalBytes: smallest(stores.map((store) => store.totalBytes)),
      freeBytes: smallest(stores.map((store) => store.freeBytes)),
      files: inodes,
    };
  }

  getxattr(request: Request<'getxattr'>): Reply<'getxattr'> {
    return this.metadata.query({ name: 'getxattr', request });
  }

  async setxattr(request: Request<'setxattr'>, options?: CallOptions): Reply<'setxattr'> {
    const result = await this.#execute('setxattr', request);
    this.sessions.publish([{ inode: request.inode, content: false }], options);
    return result;
  }

  listxattr(request: Request<'listxattr'>): Reply<'listxattr'> {
    return this.metadata.query({ name: 'listxattr', request });
  }

  async removexattr(request: Request<'removexattr'>, options?: CallOptions): Reply<'removexattr'> {
    const result = await this.#execute('removexattr', request);
    this.sessions.publish([{ inode: request.inode, content: false }], options);
    return result;
  }

  async #resize(inode: number, sizeBytes: number): Promise<Attributes> {
    const attributes = await this.writer.write({
      inode,
      extents: [],
      truncateTo: sizeBytes,
      modifyTimeNs: this.clock.nowNs(),
    });
    this.garbage.wake();
    return attributes;
  }

  async #make(
    request: Omit<Commands['make']['request'], 'blockSizeBytes'>,
    options: CallOptions | undefined,
  ): Promise<Commands['make']['result']> {
    const result = await this.#execute('make', { ...request, blockSizeBytes: this.blockSizeBytes });
    if (result.created && request.kind === 'file') this.blockMap.created(result.attributes);
    else this.#observed(result.attributes);
    if (result.created) this.#publishNames(result, [request], options);
    return result;
  }

  #publishNames(
    { changed }: Changed,
    names: readonly { parent: number; name: FileName }[],
    options: CallOptions | undefined,
  ): void {
    const items: OutdatedItem[] = names.map(({ parent, name }) => ({ parent, name }));
    for (const { inode } of changed) items.push({ inode, content: false });
    this.sessions.publish(items, options);
  }

  #lostName(inode: number, wasLast: boolean, held: readonly number[], options: CallOptions | undefined): void {
    if (!wasLast) return;
    if (held.includes(inode)) this.sessions.hold(inode, options);
    else {
      this.blockMap.forget(inode);
      this.garbage.wake();
    }
  }

  #observed(attributes: Attributes): Attributes {
    this.blockMap.observe(attributes);
    return attributes;
  }

  /** Namespace changes are durable after fsync, not before they are answered. */
  #execute<K extends CommandName>(name: K, request: Commands[K]['request']): Promise<Commands[K]['result']> {
    return this.metadata.execute({ name, timeNs: this.clock.nowNs(), request, durable: false });
  }
}

function hasChanges(changes: Omit<AttributeChanges, 'sizeBytes'>): boolean {
  return Object.keys(changes).length > 0;
}
