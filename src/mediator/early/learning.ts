// MetadataService over the metaservers, from whose answers known rows are learnt.
// All calls of the mediator go through here: what a command may change is not
// known until it is answered.
import { FileError } from '../../protocol/errors.js';
import type { Attributes } from '../../protocol/services/files.js';
import {
  type CommandName,
  type MetadataService,
  type Queries,
  type QueryName,
  REPEATABLE_COMMANDS,
} from '../../protocol/services/metadata.js';
import { placesOf } from '../metadata/name-effects.js';
import type { KnownRows, Look } from './known-rows.js';

const OF_INODES: ReadonlySet<CommandName> = new Set(['trim', 'purge']);
/** Commands that change no inode and no name: all that may be repeated but those two, and the one that does nothing. */
const ASIDE: ReadonlySet<CommandName> = new Set<CommandName>([
  ...REPEATABLE_COMMANDS.filter((name) => !OF_INODES.has(name)),
  'abandon',
]);

type Request<K extends QueryName> = Queries[K]['request'];
type Result<K extends QueryName> = Queries[K]['result'];

export class Learning implements MetadataService {
  readonly sync: MetadataService['sync'];
  /** Commands under way that change something. */
  readonly #underWay = new Set<Promise<unknown>>();

  readonly #rows: KnownRows;
  readonly #metadata: MetadataService;

  constructor(rows: KnownRows, metadata: MetadataService) {
    this.#rows = rows;
    this.#metadata = metadata;
    this.sync = (request, options) => metadata.sync(request, options);
  }

  execute: MetadataService['execute'] = (message, options) =>
    ASIDE.has(message.name) ? this.#metadata.execute(message, options) : this.#watched(message, options);

  async query<K extends QueryName>(
    message: { name: K; request: Request<K> },
    options?: Parameters<MetadataService['query']>[1],
  ): Promise<Result<K>> {
    const { name, request } = message;
    if (!this.#rows.isInUse) return this.#metadata.query(message, options);
    const look = this.#rows.look(directoryAsked(name, request));
    try {
      const result = await this.#metadata.query(message, options);
      this.#learn(name, request, result, look);
      return result;
    } catch (error) {
      if (name === 'lookup' && error instanceof FileError && error.code === 'ENOENT') {
        const { parent, name: looked } = request as Request<'lookup'>;
        this.#rows.learnName(parent, looked, null, look);
      }
      throw error;
    }
  }

  /** Resolves when the commands that are under way now have ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  async #watched<K extends CommandName>(
    message: Parameters<typeof this.execute<K>>[0],
    options: Parameters<MetadataService['execute']>[1],
  ): ReturnType<typeof this.execute<K>> {
    const { name, request } = message;
    const { removed, added } = placesOf(name, request);
    const parents = [removed, added].flatMap((place) => (place === undefined ? [] : [place.parent]));
    const inodes = this.#inodesOf(name, request);
    const ended = this.#rows.beginOther(inodes, parents);
    const execution = this.#metadata.execute<K>(message, options);
    this.#underWay.add(execution);
    let isOver = false;
    try {
      const result = await execution;
      isOver = true;
      const { attributes } = result as { attributes?: Attributes };
      // Of a file without names, attributes do not say whether it ever had one.
      const isTold = ended() && attributes?.kind !== 'directory' && attributes?.links !== 0;
      const told = isTold ? attributes : undefined;
      // What the answer does not speak of may be gone.
      for (const inode of inodes ?? []) if (inode !== told?.inode) this.#rows.forget(inode);
      if (told !== undefined && this.#rows.isInUse) this.#rows.observe(told, this.#rows.look());
      return result;
    } finally {
      if (!isOver) {
        ended();
        // It may have been carried out.
        for (const inode of inodes ?? []) this.#rows.forget(inode);
      }
      this.#underWay.delete(execution);
    }
  }

  /** The inodes that a command changes apart from directories whose names it changes; null: not known. */
  #inodesOf(name: CommandName, request: object): number[] | null {
    const { removed, added } = placesOf(name, request);
    const { inode } = request as { inode?: number };
    const known = name === 'make' || name === 'makeUnnamed' || name === 'rename' || inode === undefined ? [] : [inode];
    const places = name === 'rename' ? [removed, added] : [removed];
    for (const place of places) {
      if (place === undefined) continue;
      const found = this.#rows.inodeOf(place.parent, place.name);
      if (found === undefined || found === null) return null;
      known.push(found);
    }
    return known;
  }

  #learn<K extends QueryName>(name: K, request: object, result: Result<K>, look: Look): void {
    const rows = this.#rows;
    switch (name) {
      case 'lookup': {
        const attributes = result as Result<'lookup'>;
        const { parent, name: looked } = request as Request<'lookup'>;
        rows.observe(attributes, look);
        rows.learnName(parent, looked, attributes, look);
        return;
      }
      case 'attributes':
        rows.observe(result as Result<'attributes'>, look);
        return;
      case 'blocks':
        rows.observe((result as Result<'blocks'>).attributes, look);
        return;
      case 'smallFiles':
        for (const { attributes } of (result as Result<'smallFiles'>).files) rows.observe(attributes, look);
        return;
      case 'inode':
        rows.learn(result as Result<'inode'>, look);
        return;
      case 'readdir':
        rows.learn((result as Result<'readdir'>).directory, look);
        for (const entry of (result as Result<'readdir'>).entries) {
          if (entry.attributes !== undefined) rows.observe(entry.attributes, look);
          rows.learnName((request as Request<'readdir'>).inode, entry.name, entry, look);
        }
        return;
      default:
        return;
    }
  }
}

/** The directory of which the answer says what its names stand for. */
function directoryAsked(name: QueryName, request: object): number | undefined {
  if (name === 'lookup') return (request as Request<'lookup'>).parent;
  if (name === 'readdir') return (request as Request<'readdir'>).inode;
  return undefined;
}
