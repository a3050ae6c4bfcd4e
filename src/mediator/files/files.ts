// FileService: turns file operations into queries and commands to the
// metaserver, votes and writes.
import { FileError } from '../../protocol/errors.js';
import type { AttributeChanges, Attributes, FileService, FileSystemSpace } from '../../protocol/services/files.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { CallOptions } from '../../protocol/services/service.js';
import { secondStep } from '../../protocol/values/request-ids.js';
import type { Verifier } from '../../protocol/values/verifier.js';
import type { Clock } from '../../runtime/clock.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { KnownNames } from '../metadata/known-names.js';
import type { MetaserverConnection } from '../metadata/metaserver-connection.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import { spaceOf } from '../replicas/space.js';
import type { HeldFiles } from '../sessions/held-files.js';
import type { Sessions } from '../sessions/sessions.js';
import type { FileWriter } from '../writing/file-writer.js';
import type { ContentChanges } from './content-changes.js';
import type { FileReader } from './file-reader.js';
import type { MetadataChanges } from './metadata-changes.js';
import type { Removals } from './removals.js';
import { findEdge } from './sparse.js';

/** Entries in one listing at most, so that a reply stays small. */
const MAXIMUM_LISTING = 2000;

type Request<K extends keyof FileService> = Parameters<FileService[K]>[0];
type Reply<K extends keyof FileService> = ReturnType<FileService[K]>;

interface Dependencies {
  metadata: MetadataService;
  connection: MetaserverConnection;
  blockMap: BlockMap;
  names: KnownNames;
  reader: FileReader;
  writer: FileWriter;
  content: ContentChanges;
  changes: MetadataChanges;
  removals: Removals;
  held: HeldFiles;
  sessions: Sessions;
  replicas: ReplicaSet;
  clock: Clock;
  /** Of new files. */
  blockSizeBytes: number;
  /** No other mediator changes anything: what is remembered need not be asked for. */
  isSole: boolean;
  /** What fsync answers. */
  verifier(): Verifier;
}

export class MediatorFiles implements FileService {
  readonly #metadata: MetadataService;
  readonly #connection: MetaserverConnection;
  readonly #blockMap: BlockMap;
  readonly #names: KnownNames;
  readonly #reader: FileReader;
  readonly #writer: FileWriter;
  readonly #content: ContentChanges;
  readonly #changes: MetadataChanges;
  readonly #removals: Removals;
  readonly #held: HeldFiles;
  readonly #sessions: Sessions;
  readonly #replicas: ReplicaSet;
  readonly #clock: Clock;
  readonly #blockSizeBytes: number;
  readonly #isSole: boolean;
  readonly #verifier: () => Verifier;

  constructor(dependencies: Dependencies) {
    this.#metadata = dependencies.metadata;
    this.#connection = dependencies.connection;
    this.#blockMap = dependencies.blockMap;
    this.#names = dependencies.names;
    this.#reader = dependencies.reader;
    this.#writer = dependencies.writer;
    this.#content = dependencies.content;
    this.#changes = dependencies.changes;
    this.#removals = dependencies.removals;
    this.#held = dependencies.held;
    this.#sessions = dependencies.sessions;
    this.#replicas = dependencies.replicas;
    this.#clock = dependencies.clock;
    this.#blockSizeBytes = dependencies.blockSizeBytes;
    this.#isSole = dependencies.isSole;
    this.#verifier = dependencies.verifier;
  }

  async lookup(request: Request<'lookup'>): Promise<Attributes> {
    const { parent, name } = request;
    const inode = this.#isSole ? this.#names.find(parent, name) : undefined;
    if (inode === null) throw new FileError('ENOENT', `directory ${parent} has no ${JSON.stringify(name)}`);
    const known = inode === undefined ? undefined : this.#blockMap.remembered(inode);
    if (known !== undefined) return known;
    const learn = this.#names.learner(parent);
    const attributes = this.#observed(await this.#metadata.query({ name: 'lookup', request }));
    learn(name, attributes.inode);
    return attributes;
  }

  async getattr(request: Request<'getattr'>): Promise<Attributes> {
    return this.#observed(await this.#metadata.query({ name: 'attributes', request }));
  }

  async setattr({ id, again, inode, changes, caller }: Request<'setattr'>, options?: CallOptions): Promise<Attributes> {
    const { sizeBytes, ...others } = changes;
    let resized: Attributes | null = null;
    if (sizeBytes !== undefined) {
      const cut = { id, again, inode, extents: [], truncateTo: sizeBytes, modifyTimeNs: this.#clock.nowNs() };
      resized = await this.#content.write(cut, options);
    }
    const { accessed, ...toTell } = others;
    if (resized !== null && !hasChanges(others)) return resized;
    const second = id === undefined || resized === null ? id : secondStep(id);
    const { attributes } = await this.#changes.execute('setattr', { inode, changes: others, caller }, second);
    if (accessed !== true || hasChanges(toTell)) return this.#changes.attributesChanged(attributes, options);
    // Other mounts are not told that a file was read.
    this.#blockMap.accessed(attributes);
    return attributes;
  }

  async create(request: Request<'create'>, options?: CallOptions): Reply<'create'> {
    if (request.forWriting) await this.#content.requireQuorum(request);
    return this.#removals.making(request, async () => {
      const { mode, exclusive } = request;
      const result = await this.#changes.make(
        request,
        { kind: 'file', mode, device: 0, target: '', exclusive },
        options,
      );
      if (result.created) this.#sessions.made(result.attributes.inode, options);
      return result;
    });
  }

  async createUnnamed(
    { id, again, forWriting, ...request }: Request<'createUnnamed'>,
    options?: CallOptions,
  ): Reply<'createUnnamed'> {
    if (forWriting) await this.#content.requireQuorum({ id, again });
    // The new file is not known to be held before its inode is known: until then no orphan is purged.
    return this.#held.sparing(null, async () => {
      const result = await this.#changes.execute(
        'makeUnnamed',
        { ...request, blockSizeBytes: this.#blockSizeBytes },
        id,
      );
      this.#sessions.hold(result.attributes.inode, options);
      this.#changes.created(result.attributes);
      return result;
    });
  }

  mkdir(request: Request<'mkdir'>, options?: CallOptions): Reply<'mkdir'> {
    const { mode } = request;
    return this.#changes.make(request, { kind: 'directory', mode, device: 0, target: '', exclusive: true }, options);
  }

  mknod(request: Request<'mknod'>, options?: CallOptions): Reply<'mknod'> {
    const { kind, mode, device } = request;
    return this.#changes.make(request, { kind, mode, device, target: '', exclusive: true }, options);
  }

  symlink(request: Request<'symlink'>, options?: CallOptions): Reply<'symlink'> {
    const { target } = request;
    return this.#changes.make(request, { kind: 'symlink', mode: 0o777, device: 0, target, exclusive: true }, options);
  }

  readlink(request: Request<'readlink'>): Reply<'readlink'> {
    return this.#metadata.query({ name: 'readlink', request });
  }

  async link({ id, inode, parent, name }: Request<'link'>, options?: CallOptions): Reply<'link'> {
    const result = await this.#changes.execute('link', { inode, parent, name }, id);
    this.#blockMap.observe(result.attributes);
    this.#changes.namesChanged(result, [{ parent, name }], options);
    return result;
  }

  async unlink(request: Request<'unlink'>, options?: CallOptions): Reply<'unlink'> {
    const { id, parent, name } = request;
    const result = await this.#removals.run(
      request,
      options,
      (held) => this.#changes.execute('unlink', { parent, name, held }, id),
      ({ inode, links }) => (links === 0 ? inode : undefined),
    );
    this.#changes.namesChanged(result, [request], options);
    return result;
  }

  async rmdir({ id, parent, name }: Request<'rmdir'>, options?: CallOptions): Reply<'rmdir'> {
    const result = await this.#changes.execute('rmdir', { parent, name }, id);
    this.#changes.namesChanged(result, [{ parent, name }], options);
    return result;
  }

  async rename(request: Request<'rename'>, options?: CallOptions): Reply<'rename'> {
    const { id, parent, name, newParent, newName, mode, whiteout } = request;
    const result = await this.#removals.run(
      { parent: newParent, name: newName, held: request.held },
      options,
      (held) => {
        const asked = { parent, name, newParent, newName, mode, held };
        return this.#changes.execute('rename', whiteout === undefined ? asked : { ...asked, whiteout }, id);
      },
      // The answer does not say whether the replaced file has other names. If it has, holding it does no harm.
      ({ replaced }) => replaced,
    );
    this.#changes.namesChanged(result, [request, { parent: newParent, name: newName }], options);
    return result;
  }

  async open({ inode, forWriting }: Request<'open'>, options?: CallOptions): Promise<Attributes> {
    // Before anything else: from now on the file must outlive its last name.
    this.#sessions.opened(inode, options);
    if (forWriting) await this.#writer.requireQuorum(inode, 'opening');
    // The only mediator sees all changes, so what it remembers includes what was closed last. Otherwise one round trip brings
    // the attributes and the block map that the first read needs.
    const remembered = this.#isSole && !this.#removals.underWay ? this.#blockMap.remembered(inode) : undefined;
    const attributes = remembered ?? (await this.#blockMap.refresh(inode));
    if (attributes.links === 0) this.#removals.openedNameless(inode, options);
    return attributes;
  }

  async release({ inode }: Request<'release'>, options?: CallOptions): Reply<'release'> {
    await this.#sessions.release(inode, options);
    return {};
  }

  read({ inode, offset, length }: Request<'read'>): Reply<'read'> {
    return this.#reader.read(inode, offset, length);
  }

  async write(request: Request<'write'>, options?: CallOptions): Promise<Attributes> {
    const { id, again, inode, extents, truncateTo = null, appendedFrom, modifyTimeNs } = request;
    return this.#content.write({ id, again, inode, extents, truncateTo, modifyTimeNs }, options, appendedFrom);
  }

  fallocate(request: Request<'fallocate'>, options?: CallOptions): Promise<Attributes> {
    return this.#content.fallocate(request, options);
  }

  async seek({ inode, offset, what }: Request<'seek'>): Reply<'seek'> {
    return { offset: await findEdge(this.#metadata, inode, offset, what) };
  }

  async fsync(): Reply<'fsync'> {
    // Writes are durable when they answer; names and attributes may not be. Effects of commands that are under way may be seen
    // already, so these count too.
    if (!this.#connection.isAllDurable) await this.#connection.sync();
    await this.#connection.ready();
    return { verifier: this.#verifier() };
  }

  async readdir({ limit, ...request }: Request<'readdir'>): Reply<'readdir'> {
    const learn = this.#names.learner(request.inode);
    const result = await this.#metadata.query({
      name: 'readdir',
      request: { ...request, limit: Math.min(limit, MAXIMUM_LISTING) },
    });
    for (const { name, inode, attributes } of result.entries) {
      if (attributes !== undefined) this.#blockMap.observe(attributes);
      // Only a name whose file's attributes are remembered can answer a lookup.
      if (this.#blockMap.remembered(inode) !== undefined) learn(name, inode);
    }
    const { entries, done, directory } = result;
    return { entries, done, parent: directory.parent };
  }

  async statfs(): Promise<FileSystemSpace> {
    const { inodes } = await this.#metadata.query({ name: 'statistics', request: {} });
    return { blockSizeBytes: this.#blockSizeBytes, ...spaceOf(this.#replicas), files: inodes };
  }

  getxattr(request: Request<'getxattr'>): Reply<'getxattr'> {
    return this.#metadata.query({ name: 'getxattr', request });
  }

  async setxattr({ id, ...request }: Request<'setxattr'>, options?: CallOptions): Reply<'setxattr'> {
    const result = await this.#changes.execute('setxattr', request, id);
    this.#changes.attributesChanged(result.attributes, options);
    return result;
  }

  listxattr(request: Request<'listxattr'>): Reply<'listxattr'> {
    return this.#metadata.query({ name: 'listxattr', request });
  }

  async removexattr({ id, ...request }: Request<'removexattr'>, options?: CallOptions): Reply<'removexattr'> {
    const result = await this.#changes.execute('removexattr', request, id);
    this.#changes.attributesChanged(result.attributes, options);
    return result;
  }

  #observed(attributes: Attributes): Attributes {
    this.#blockMap.observe(attributes);
    return attributes;
  }
}

function hasChanges(changes: Omit<AttributeChanges, 'sizeBytes'>): boolean {
  return Object.keys(changes).length > 0;
}
