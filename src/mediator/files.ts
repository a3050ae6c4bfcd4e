// FileService: turns file operations into metadata commands, votes and
// writes. It holds no state of its own that a restart would miss.
import type { AttributeChanges, Attributes, FileService, FileSystemSpace } from '../protocol/files.js';
import type { CommandName, Commands, MetadataService } from '../protocol/metadata.js';
import type { Clock } from '../runtime/clock.js';
import type { BlockMap } from './block-map.js';
import type { FileReader } from './file-reader.js';
import type { GarbageCollector } from './garbage.js';
import type { ReplicaSet } from './replica-set.js';
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

  async setattr({ inode, changes, caller }: Request<'setattr'>): Promise<Attributes> {
    const { sizeBytes, ...others } = changes;
    let attributes: Attributes | null = null;
    if (sizeBytes !== undefined) attributes = await this.#resize(inode, sizeBytes);
    if (attributes === null || hasChanges(others)) {
      const result = await this.#execute('setattr', { inode, changes: others, caller });
      attributes = result.attributes;
      this.blockMap.committed(attributes, null, []);
    }
    return attributes;
  }

  async create({ forWriting, ...request }: Request<'create'>): Reply<'create'> {
    if (forWriting) await this.writer.requireQuorum(null, 'opening');
    return this.#make({ ...request, kind: 'file', device: 0, target: '' });
  }

  mkdir(request: Request<'mkdir'>): Reply<'mkdir'> {
    return this.#make({ ...request, kind: 'directory', device: 0, target: '', exclusive: true });
  }

  mknod(request: Request<'mknod'>): Reply<'mknod'> {
    return this.#make({ ...request, target: '', exclusive: true });
  }

  symlink(request: Request<'symlink'>): Reply<'symlink'> {
    return this.#make({ ...request, kind: 'symlink', mode: 0o777, device: 0, exclusive: true });
  }

  readlink(request: Request<'readlink'>): Reply<'readlink'> {
    return this.metadata.query({ name: 'readlink', request });
  }

  async link(request: Request<'link'>): Reply<'link'> {
    const result = await this.#execute('link', request);
    this.#observed(result.attributes);
    return result;
  }

  async unlink(request: Request<'unlink'>): Reply<'unlink'> {
    const result = await this.#execute('unlink', request);
    this.#lostName(result.inode, result.links === 0, request.held);
    return result;
  }

  rmdir(request: Request<'rmdir'>): Reply<'rmdir'> {
    return this.#execute('rmdir', request);
  }

  async rename(request: Request<'rename'>): Reply<'rename'> {
    const result = await this.#execute('rename', request);
    if (result.replaced !== undefined) this.#lostName(result.replaced, true, request.held);
    return result;
  }

  async open({ inode, forWriting }: Request<'open'>): Promise<Attributes> {
    if (forWriting) await this.writer.requireQuorum(inode, 'opening');
    // One round trip brings the attributes and the block map that the first read needs.
    return this.blockMap.refresh(inode);
  }

  async release({ inode }: Request<'release'>): Reply<'release'> {
    await this.garbage.release(inode);
    return {};
  }

  async read({ inode, offset, length }: Request<'read'>): Reply<'read'> {
    return { data: await this.reader.read(inode, offset, length) };
  }

  async write({ inode, extents, truncateTo, modifyTimeNs }: Request<'write'>): Promise<Attributes> {
    const attributes = await this.writer.write({ inode, extents, truncateTo: truncateTo ?? null, modifyTimeNs });
    this.garbage.wake();
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

  setxattr(request: Request<'setxattr'>): Reply<'setxattr'> {
    return this.#execute('setxattr', request);
  }

  listxattr(request: Request<'listxattr'>): Reply<'listxattr'> {
    return this.metadata.query({ name: 'listxattr', request });
  }

  removexattr(request: Request<'removexattr'>): Reply<'removexattr'> {
    return this.#execute('removexattr', request);
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

  async #make(request: Omit<Commands['make']['request'], 'blockSizeBytes'>): Promise<Commands['make']['result']> {
    const result = await this.#execute('make', { ...request, blockSizeBytes: this.blockSizeBytes });
    if (result.created && request.kind === 'file') this.blockMap.created(result.attributes);
    else this.#observed(result.attributes);
    return result;
  }

  #lostName(inode: number, wasLast: boolean, held: readonly number[]): void {
    if (!wasLast) return;
    if (held.includes(inode)) this.garbage.hold(inode);
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
