// FileService: turns file operations into metadata commands, votes and
// writes. It holds no state of its own.
import { FileError } from '../../protocol/errors.js';
import {
  type AttributeChanges,
  type Attributes,
  type Changed,
  type FileName,
  type FileService,
  type FileSystemSpace,
  MAXIMUM_FILE_BYTES,
} from '../../protocol/services/files.js';
import type { CommandName, Commands, MetadataService } from '../../protocol/services/metadata.js';
import { type Attempt, type RequestId, secondStep } from '../../protocol/services/request-ids.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { OutdatedItem } from '../../protocol/services/sessions.js';
import type { Clock } from '../../runtime/clock.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { EarlierAttempts } from '../metadata/earlier-attempts.js';
import type { KnownNames } from '../metadata/known-names.js';
import type { LostCalls } from '../metadata/lost-calls.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import { requireRoom, spaceOf } from '../replicas/space.js';
import type { Sessions } from '../sessions/sessions.js';
import type { GarbageCollector } from '../upkeep/garbage.js';
import { Appends } from '../writing/appends.js';
import type { FileWrite } from '../writing/file-write.js';
import type { FileWriter } from '../writing/file-writer.js';
import type { FileReader } from './file-reader.js';
import { Removals } from './removals.js';
import { findEdge } from './sparse.js';

/** Entries in one listing at most, so that a reply stays small. */
const MAXIMUM_LISTING = 2000;

type MakeRequest = Attempt & Pick<Commands['make']['request'], 'parent' | 'name' | 'umask' | 'caller'>;
type Made = Pick<Commands['make']['request'], 'kind' | 'mode' | 'device' | 'target' | 'exclusive'>;
type Request<K extends keyof FileService> = Parameters<FileService[K]>[0];
type Reply<K extends keyof FileService> = ReturnType<FileService[K]>;

export class MediatorFiles implements FileService {
  readonly #appends: Appends;
  readonly #removals: Removals;

  readonly #metadata: MetadataService;
  readonly #blockMap: BlockMap;
  readonly #reader: FileReader;
  readonly #writer: FileWriter;
  readonly #garbage: GarbageCollector;
  readonly #earlier: EarlierAttempts;
  readonly #sessions: Sessions;
  readonly #lostCalls: LostCalls;
  readonly #names: KnownNames;
  readonly #isSole: boolean;
  readonly #replicas: ReplicaSet;
  readonly #blockSizeBytes: number;
  readonly #clock: Clock;

  constructor(
    metadata: MetadataService,
    blockMap: BlockMap,
    reader: FileReader,
    writer: FileWriter,
    garbage: GarbageCollector,
    earlier: EarlierAttempts,
    sessions: Sessions,
    lostCalls: LostCalls,
    names: KnownNames,
    isSole: boolean,
    replicas: ReplicaSet,
    blockSizeBytes: number,
    clock: Clock,
  ) {
    this.#metadata = metadata;
    this.#blockMap = blockMap;
    this.#reader = reader;
    this.#writer = writer;
    this.#garbage = garbage;
    this.#earlier = earlier;
    this.#sessions = sessions;
    this.#lostCalls = lostCalls;
    this.#names = names;
    this.#isSole = isSole;
    this.#replicas = replicas;
    this.#blockSizeBytes = blockSizeBytes;
    this.#clock = clock;
    this.#appends = new Appends(blockMap, writer);
    this.#removals = new Removals(metadata, blockMap, garbage, sessions);
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
      resized = await this.#write(cut, options);
    }
    const { accessed, ...toTell } = others;
    if (resized !== null && !hasChanges(others)) return resized;
    const second = id === undefined || resized === null ? id : secondStep(id);
    const { attributes } = await this.#execute('setattr', { inode, changes: others, caller }, second);
    if (accessed !== true || hasChanges(toTell)) return this.#changed(attributes, options);
    // That a file was read is no news to others.
    this.#blockMap.accessed(attributes);
    return attributes;
  }

  async create(request: Request<'create'>, options?: CallOptions): Reply<'create'> {
    if (request.forWriting) await this.#requireQuorum(request);
    return this.#removals.making(request, async () => {
      const { mode, exclusive } = request;
      const result = await this.#make(request, { kind: 'file', mode, device: 0, target: '', exclusive }, options);
      if (result.created) this.#sessions.opened(result.attributes.inode, options);
      return result;
    });
  }

  async createUnnamed(
    { id, again, forWriting, ...request }: Request<'createUnnamed'>,
    options?: CallOptions,
  ): Reply<'createUnnamed'> {
    if (forWriting) await this.#requireQuorum({ id, again });
    // Until it is known which inode is held, none may be purged.
    return this.#garbage.sparing(null, async () => {
      const result = await this.#execute('makeUnnamed', { ...request, blockSizeBytes: this.#blockSizeBytes }, id);
      this.#sessions.hold(result.attributes.inode, options);
      this.#created(result.attributes);
      return result;
    });
  }

  mkdir(request: Request<'mkdir'>, options?: CallOptions): Reply<'mkdir'> {
    const { mode } = request;
    return this.#make(request, { kind: 'directory', mode, device: 0, target: '', exclusive: true }, options);
  }

  mknod(request: Request<'mknod'>, options?: CallOptions): Reply<'mknod'> {
    const { kind, mode, device } = request;
    return this.#make(request, { kind, mode, device, target: '', exclusive: true }, options);
  }

  symlink(request: Request<'symlink'>, options?: CallOptions): Reply<'symlink'> {
    const { target } = request;
    return this.#make(request, { kind: 'symlink', mode: 0o777, device: 0, target, exclusive: true }, options);
  }

  readlink(request: Request<'readlink'>): Reply<'readlink'> {
    return this.#metadata.query({ name: 'readlink', request });
  }

  async link({ id, inode, parent, name }: Request<'link'>, options?: CallOptions): Reply<'link'> {
    const result = await this.#execute('link', { inode, parent, name }, id);
    this.#observed(result.attributes);
    this.#publishNames(result, [{ parent, name }], options);
    return result;
  }

  async unlink(request: Request<'unlink'>, options?: CallOptions): Reply<'unlink'> {
    const { id, parent, name } = request;
    const result = await this.#removals.run(
      request,
      options,
      (held) => this.#execute('unlink', { parent, name, held }, id),
      ({ inode, links }) => (links === 0 ? inode : undefined),
    );
    this.#publishNames(result, [request], options);
    return result;
  }

  async rmdir({ id, parent, name }: Request<'rmdir'>, options?: CallOptions): Reply<'rmdir'> {
    const result = await this.#execute('rmdir', { parent, name }, id);
    this.#publishNames(result, [{ parent, name }], options);
    return result;
  }

  async rename(request: Request<'rename'>, options?: CallOptions): Reply<'rename'> {
    const { id, parent, name, newParent, newName, mode, whiteout } = request;
    const result = await this.#removals.run(
      { parent: newParent, name: newName, held: request.held },
      options,
      (held) => {
        const asked = { parent, name, newParent, newName, mode, held };
        return this.#execute('rename', whiteout === undefined ? asked : { ...asked, whiteout }, id);
      },
      // The answer does not say whether it has other names: then being held means nothing.
      ({ replaced }) => replaced,
    );
    this.#publishNames(result, [request, { parent: newParent, name: newName }], options);
    return result;
  }

  async open({ inode, forWriting }: Request<'open'>, options?: CallOptions): Promise<Attributes> {
    // Before anything else: from now on it must not go with its last name.
    this.#sessions.opened(inode, options);
    if (forWriting) await this.#writer.requireQuorum(inode, 'opening');
    // All changes pass through here, so what is remembered is what was closed last. Otherwise one round trip brings the
    // attributes and the block map that the first read needs.
    const remembered = this.#isSole && !this.#removals.underWay ? this.#blockMap.remembered(inode) : undefined;
    return remembered ?? this.#blockMap.refresh(inode);
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
    return this.#write({ id, again, inode, extents, truncateTo, modifyTimeNs }, options, appendedFrom);
  }

  async fallocate(request: Request<'fallocate'>, options?: CallOptions): Promise<Attributes> {
    const { id, again, inode, offset, length, zeros, keepsSize, modifyTimeNs } = request;
    const end = Math.min(offset + length, MAXIMUM_FILE_BYTES);
    if (end < offset + length && !(zeros && keepsSize)) {
      throw new FileError('EFBIG', `files end at ${MAXIMUM_FILE_BYTES} bytes`);
    }
    const change = async (): Promise<Attributes> => {
      await this.#writer.requireQuorum(inode, 'writing');
      const current = await this.getattr({ inode });
      if (!zeros) requireRoom(spaceOf(this.#replicas), current, offset, end);
      if (keepsSize && (!zeros || end <= offset)) return current;
      const write = {
        ...{ id, again, inode, extents: [], truncateTo: null, modifyTimeNs },
        ...(zeros ? { zeros: { offset, length: end - offset } } : {}),
        ...(keepsSize ? {} : { minimumSizeBytes: end }),
      };
      return this.#write(write, options);
    };
    return this.#hurryWhenFull(() => this.#earlier.unlessCarriedOut(request, change));
  }

  async seek({ inode, offset, what }: Request<'seek'>): Reply<'seek'> {
    return { offset: await findEdge(this.#metadata, inode, offset, what) };
  }

  async fsync(): Reply<'fsync'> {
    // Data is durable when write answers; what is left are names and attributes, which a write may have taken along. What
    // others are doing just now may be seen already, and counts too.
    if (!this.#lostCalls.isAllDurable) await this.#lostCalls.sync();
    await this.#lostCalls.known();
    return { verifier: this.#lostCalls.verifier };
  }

  async readdir({ limit, ...request }: Request<'readdir'>): Reply<'readdir'> {
    const learn = this.#names.learner(request.inode);
    const result = await this.#metadata.query({
      name: 'readdir',
      request: { ...request, limit: Math.min(limit, MAXIMUM_LISTING) },
    });
    for (const { name, inode, attributes } of result.entries) {
      if (attributes !== undefined) this.#blockMap.observe(attributes);
      // Without attributes a name alone answers nothing.
      if (this.#blockMap.remembered(inode) !== undefined) learn(name, inode);
    }
    return result;
  }

  async statfs(): Promise<FileSystemSpace> {
    const { inodes } = await this.#metadata.query({ name: 'statistics', request: {} });
    return { blockSizeBytes: this.#blockSizeBytes, ...spaceOf(this.#replicas), files: inodes };
  }

  getxattr(request: Request<'getxattr'>): Reply<'getxattr'> {
    return this.#metadata.query({ name: 'getxattr', request });
  }

  async setxattr({ id, ...request }: Request<'setxattr'>, options?: CallOptions): Reply<'setxattr'> {
    const result = await this.#execute('setxattr', request, id);
    this.#changed(result.attributes, options);
    return result;
  }

  listxattr(request: Request<'listxattr'>): Reply<'listxattr'> {
    return this.#metadata.query({ name: 'listxattr', request });
  }

  async removexattr({ id, ...request }: Request<'removexattr'>, options?: CallOptions): Reply<'removexattr'> {
    const result = await this.#execute('removexattr', request, id);
    this.#changed(result.attributes, options);
    return result;
  }

  /** Carries out one write, and tells those whom it concerns: the versions that it replaced, and what others have cached. */
  async #write(write: FileWrite, options: CallOptions | undefined, appendedFrom?: number): Promise<Attributes> {
    const session = this.#sessions.countWrite(options);
    try {
      const attributes = await this.#hurryWhenFull(() =>
        this.#earlier.unlessCarriedOut(write, () => this.#appends.write(write, appendedFrom)),
      );
      this.#garbage.wake();
      this.#sessions.publish([{ inode: write.inode, content: true }], options);
      return attributes;
    } finally {
      if (session !== undefined) session.writes--;
    }
  }

  /** What is deleted already is forgotten sooner when somebody finds no room. */
  async #hurryWhenFull<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof FileError && error.code === 'ENOSPC') this.#garbage.hurry();
      throw error;
    }
  }

  async #requireQuorum(request: Attempt): Promise<void> {
    try {
      await this.#writer.requireQuorum(null, 'opening');
    } catch (error) {
      if (!(await this.#earlier.wasCarriedOut(request))) throw error;
    }
  }

  /** Attributes alone have changed to these. */
  #changed(attributes: Attributes, options: CallOptions | undefined): Attributes {
    this.#blockMap.committed(attributes, null, []);
    this.#sessions.publish([{ inode: attributes.inode, content: false }], options);
    return attributes;
  }

  // All members by name, here and above: V8 keeps no common shape for literals that begin with a spread, and each access to one
  // is a miss of its caches. A create had twelve.
  async #make(request: MakeRequest, what: Made, options: CallOptions | undefined): Promise<Commands['make']['result']> {
    const { id, parent, name, umask, caller } = request;
    const { kind, mode, device, target, exclusive } = what;
    const blockSizeBytes = this.#blockSizeBytes;
    const made = { parent, name, kind, mode, umask, device, target, caller, exclusive, blockSizeBytes };
    const result = await this.#execute('make', made, id);
    if (result.created && kind === 'file') this.#created(result.attributes);
    else this.#observed(result.attributes);
    if (result.created) this.#publishNames(result, [{ parent, name }], options);
    return result;
  }

  #publishNames(
    { changed }: Changed,
    names: readonly { parent: number; name: FileName }[],
    options: CallOptions | undefined,
  ): void {
    const items: OutdatedItem[] = names.map(({ parent, name }) => ({ parent, name }));
    for (const attributes of changed) {
      items.push({ inode: attributes.inode, content: false });
      this.#blockMap.committed(attributes, null, []);
    }
    this.#sessions.publish(items, options);
  }

  /** What was made just now has no blocks, unless it was made by an earlier attempt and written since. */
  #created(attributes: Attributes): void {
    if (attributes.revision === 1) this.#blockMap.created(attributes);
    else this.#observed(attributes);
  }

  #observed(attributes: Attributes): Attributes {
    this.#blockMap.observe(attributes);
    return attributes;
  }

  /** Namespace changes are durable after fsync, not before they are answered. */
  async #execute<K extends CommandName>(
    name: K,
    request: Commands[K]['request'],
    id: RequestId | undefined,
  ): Promise<Commands[K]['result']> {
    const answer = await this.#names.note(name, request, () =>
      this.#metadata.execute({ name, timeNs: this.#clock.nowNs(), request, durable: false, id }),
    );
    if (answer.isRepetition !== true) return answer;
    for (const inode of inodesOf(answer)) this.#blockMap.forget(inode);
    const { isRepetition: _, ...result } = answer;
    return result as Commands[K]['result'];
  }
}

/** What an answer tells of. */
function inodesOf(answer: object): number[] {
  const { attributes, changed = [] } = answer as { attributes?: Attributes } & Partial<Changed>;
  return [...(attributes === undefined ? [] : [attributes]), ...changed].map(({ inode }) => inode);
}

function hasChanges(changes: Omit<AttributeChanges, 'sizeBytes'>): boolean {
  return Object.keys(changes).length > 0;
}
