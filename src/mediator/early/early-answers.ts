// Changes of names and attributes that this mediator answers by itself, from rows
// that it knows, with the namespace's own code. The metaserver gets the commands a
// little later, many in one message and in their order, and before anything that
// is asked of it afterwards (metadata/answered-stream.ts).

import { GROWING } from '../../namespace/takes-room.js';
import { FileError } from '../../protocol/errors.js';
import type {
  AnsweredCommand,
  Command,
  CommandName,
  Commands,
  MetadataService,
  Queries,
  QueryName,
} from '../../protocol/services/metadata.js';
import { InodeNumbers } from './inode-numbers.js';
import { type KnownRows, UNKNOWN, type Wanted } from './known-rows.js';
import type { Learning } from './learning.js';

const ANSWERABLE: ReadonlySet<CommandName> = new Set(['make', 'link', 'unlink', 'rmdir', 'rename', 'setattr']);
/** A command needs to know a directory or two, a name or two, and what these stand for. */
const MOST_LOOKS = 12;

export interface EarlyAnswersParts {
  rows: KnownRows;
  /** Of all other calls. */
  learning: Learning;
  /** Whether a command may be answered early just now. */
  mayAnswer(): boolean;
  /** Whether the metaserver's disk takes changes, by what was heard just now. */
  diskTakes(takesRoom: boolean): boolean;
  /** Asks how it is; never rejects. */
  askDisk(): Promise<void>;
  /** Whether what is known is still so, and no other mediator is active. */
  mayLook(): boolean;
  /** The command was answered with this. */
  answered(command: Omit<AnsweredCommand, 'id'>, result: Commands[CommandName]['result']): void;
  answeredQuery(): void;
  nowNs(): bigint;
}

interface Message<K extends CommandName> {
  name: K;
  timeNs: bigint;
  request: Commands[K]['request'];
}

export class EarlyAnswers implements MetadataService {
  readonly sync: MetadataService['sync'];
  readonly #numbers: InodeNumbers;
  /** What is being asked for, by its text. */
  readonly #looks = new Map<string, Promise<void>>();

  readonly #rows: KnownRows;
  readonly #learning: Learning;
  readonly #parts: EarlyAnswersParts;

  constructor(parts: EarlyAnswersParts) {
    const { rows, learning } = parts;
    this.#parts = parts;
    this.#rows = rows;
    this.#learning = learning;
    this.#numbers = new InodeNumbers(learning, parts.nowNs);
    this.sync = (request, options) => learning.sync(request, options);
  }

  execute: MetadataService['execute'] = async (message, options) => {
    const { name, durable, id } = message;
    if (durable || id !== undefined || !ANSWERABLE.has(name)) return this.#learning.execute(message, options);
    const grows = GROWING.has(name);
    const { mayAnswer, diskTakes, askDisk } = this.#parts;
    if (mayAnswer() && !diskTakes(grows)) await askDisk();
    for (let looks = 0; looks < MOST_LOOKS && mayAnswer() && diskTakes(grows); looks++) {
      this.#rows.isInUse = true;
      try {
        return this.#answer(message);
      } catch (error) {
        if (error !== UNKNOWN) throw error;
      }
      if (!(await this.#look(this.#rows.wanted))) break;
    }
    return this.#learning.execute(message, options);
  };

  query: MetadataService['query'] = async (message, options) => {
    let known: object | undefined;
    if (this.#parts.mayLook()) {
      this.#rows.isInUse = true;
      known = this.#known(message);
    }
    if (known === undefined) return this.#learning.query(message, options);
    this.#parts.answeredQuery();
    return known as never;
  };

  /** The answer to a query about names or an inode; undefined: only the metaserver has it. */
  #known({ name, request }: { name: QueryName; request: object }): object | undefined {
    try {
      switch (name) {
        case 'attributes':
          return this.#rows.attributes((request as Queries['attributes']['request']).inode) ?? undefined;
        case 'readdir':
          return this.#rows.readdir(request as Queries['readdir']['request']);
        case 'lookup': {
          const { parent, name: wanted } = request as Queries['lookup']['request'];
          // Two names without entries; the metaserver knows what they stand for.
          if (wanted === '.' || wanted === '..') return undefined;
          const found = this.#rows.lookup(parent, wanted);
          if (found !== null) return found;
          this.#parts.answeredQuery();
          throw new FileError('ENOENT', `directory ${parent} has no ${JSON.stringify(wanted)}`);
        }
        default:
          return undefined;
      }
    } catch (error) {
      if (error === UNKNOWN) return undefined;
      throw error;
    }
  }

  /** Throws UNKNOWN, or what the namespace throws. */
  #answer<K extends CommandName>({ name, timeNs, request }: Message<K>): Commands[K]['result'] {
    const command = { name, timeNs, request: this.#numbered(name, request) } as Extract<Command, { name: K }>;
    const { result, isChange } = this.#rows.run<K>(command);
    if (!isChange) return result;
    if (name === 'make') this.#numbers.take();
    this.#parts.answered(command as Omit<AnsweredCommand, 'id'>, result);
    return result;
  }

  /** A new inode gets a number that this mediator has for it. */
  #numbered<K extends CommandName>(name: K, request: Commands[K]['request']): Commands[K]['request'] {
    if (name === 'rename' && (request as Commands['rename']['request']).whiteout !== undefined) this.#rows.refuse();
    if (name !== 'make') return request;
    // It was made before, and a crash has lost it.
    if ((request as Commands['make']['request']).inode !== undefined) this.#rows.refuse();
    const inode = this.#numbers.next;
    if (inode === undefined) return this.#rows.refuse();
    this.#rows.free(inode);
    const {
      parent,
      name: called,
      kind,
      mode,
      umask,
      device,
      target,
      caller,
      exclusive,
      blockSizeBytes,
    } = request as Commands['make']['request'];
    const made = { parent, name: called, kind, mode, umask, device, target, caller, exclusive, blockSizeBytes, inode };
    return made as Commands[K]['request'];
  }

  /** Asks for what is missing; false when it can't be had. */
  async #look(wanted: Wanted): Promise<boolean> {
    switch (wanted.what) {
      case 'never':
        return false;
      case 'settled':
        await this.#learning.settled();
        return true;
      case 'inode': {
        const { inode } = wanted;
        await this.#once(`${inode}`, () => this.#learning.query({ name: 'inode', request: { inode } }));
        return true;
      }
      case 'name': {
        const { parent, name } = wanted;
        await this.#once(`${parent}/${name}`, () =>
          this.#learning.query({ name: 'lookup', request: { parent, name } }),
        );
        return true;
      }
    }
  }

  /** Those that want the same wait for the same answer. */
  #once(text: string, ask: () => Promise<unknown>): Promise<void> {
    const known = this.#looks.get(text);
    if (known !== undefined) return known;
    const looking = ask()
      .then(
        () => {},
        (error: unknown) => {
          // A name that does not exist is known from now on; that an inode is gone, the command hears from the metaserver.
          if (!(error instanceof FileError)) throw error;
        },
      )
      .finally(() => this.#looks.delete(text));
    this.#looks.set(text, looking);
    return looking;
  }
}
