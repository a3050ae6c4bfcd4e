// Random operations on the files of a directory, after each of which the files
// must be as the model says. In the manner of fsx, for several files at once.
import { SeededRandom } from '../simulation/world/seeded-random.js';
import { bytesOf, difference } from './bytes.js';
import { Chooser } from './chooser.js';
import { type Answer, Hands } from './hands.js';
import { Model, type ModelFile } from './model.js';
import { describe, type Operation } from './operations.js';

export interface RandomFilesOptions {
  seed: number;
  files: number;
  directory: string;
  blockSizeBytes: number;
  /** No file is longer. */
  maximumBytes: number;
  /** Whether the file system takes O_DIRECT at any offset. */
  direct: boolean;
  /** Called before each operation, with its number: for faults. */
  beforeStep?: (number: number) => Promise<void>;
  onLine?: (line: string) => void;
}

/** The files are not as they must be, or an operation failed that must not. */
export class Difference extends Error {}

export class RandomFiles {
  readonly model: Model;
  readonly #chooser: Chooser;
  #hands: Hands;
  /** Of the last operation; the first is 1. */
  #number = 0;

  readonly #options: RandomFilesOptions;

  constructor(options: RandomFilesOptions) {
    this.#options = options;
    const { seed, files, blockSizeBytes, maximumBytes, directory, direct } = options;
    this.model = new Model(maximumBytes);
    this.#chooser = new Chooser(new SeededRandom(seed), this.model, files, blockSizeBytes);
    this.#hands = new Hands(directory, direct);
  }

  get operations(): number {
    return this.#number;
  }

  /** The next operation. Throws a Difference. */
  async step(): Promise<void> {
    const number = ++this.#number;
    await this.#options.beforeStep?.(number);
    const operation = this.#chooser.next();
    const before = this.model.concerned(operation);
    this.model.apply(number, operation);
    const files = [...new Set([...before, ...this.model.concerned(operation)])];
    const line = `${number} ${describe(operation)}`;
    this.#options.onLine?.(line);
    for (const file of files) file.remember(line);
    const wrong = await this.#carryOut(number, operation);
    if (wrong !== null) throw this.#difference(wrong, files);
  }

  /** Compares all files by their names; none stays open. */
  async compareAll(): Promise<void> {
    await this.#asked({ kind: 'close-all' });
    this.model.handles.clear();
    const { names } = await this.#asked({ kind: 'list' });
    const expected = [...this.model.names.keys()].sort();
    if (JSON.stringify(names) !== JSON.stringify(expected)) {
      throw this.#difference(`the names are ${names?.join(' ')}, not ${expected.join(' ')}`, []);
    }
    for (const [name, file] of this.model.names) {
      const { data = '' } = await this.#asked({ kind: 'content', name }, file);
      const wrong = difference(Buffer.from(data, 'base64'), file.all(), 0);
      if (wrong !== null) throw this.#difference(`${name}: ${wrong}`, [file]);
    }
  }

  /** Goes on in another directory, for instance the same after a remount. Nothing may be open. */
  async moveTo(directory: string): Promise<void> {
    await this.#hands.end();
    this.#hands = new Hands(directory, this.#options.direct);
  }

  async end(): Promise<void> {
    await this.#hands.end();
  }

  /** What is wrong after an operation; null when nothing is. */
  async #carryOut(number: number, operation: Operation): Promise<string | null> {
    const isWrite = operation.kind === 'write' || operation.kind === 'mapped-write';
    const data = isWrite ? bytesOf(number, operation.offset, operation.length).toString('base64') : undefined;
    try {
      const answer = await this.#hands.does(data === undefined ? operation : { ...operation, data });
      return refused(answer) ?? this.#wrongWith(operation, answer);
    } catch (error) {
      return String(error);
    }
  }

  #wrongWith(operation: Operation, answer: Answer): string | null {
    if (!('handle' in operation) || operation.kind === 'close') return null;
    const { file } = this.model.opened(operation.handle);
    if (operation.kind === 'read' || operation.kind === 'mapped-read') {
      const wrong = difference(Buffer.from(answer.data ?? '', 'base64'), file.read(operation), operation.offset);
      if (wrong !== null) return wrong;
    }
    if (operation.kind === 'seek') {
      const wrong = wrongExtents(answer.extents ?? [], file);
      if (wrong !== null) return wrong;
    }
    // An answer is about the file that was changed.
    const changed = operation.kind === 'copy' ? this.model.opened(operation.target).file : file;
    if (answer.sizeBytes !== changed.sizeBytes) return `size ${answer.sizeBytes} instead of ${changed.sizeBytes}`;
    return answer.links === changed.links ? null : `${answer.links} links instead of ${changed.links}`;
  }

  async #asked(request: Parameters<Hands['does']>[0], file?: ModelFile): Promise<Answer> {
    const answer = await this.#hands.does(request);
    const wrong = refused(answer);
    if (wrong !== null) throw this.#difference(`${request.kind}: ${wrong}`, file === undefined ? [] : [file]);
    return answer;
  }

  #difference(wrong: string, files: readonly ModelFile[]): Difference {
    const pasts = files.map((file) => `the last operations on ${this.#nameOf(file)}:\n  ${file.past.join('\n  ')}`);
    return new Difference([`operation ${this.#number}: ${wrong}`, ...pasts].join('\n'));
  }

  #nameOf(file: ModelFile): string {
    const names = [...this.model.names].filter(([, named]) => named === file).map(([name]) => name);
    const handles = [...this.model.handles].filter(([, opened]) => opened.file === file).map(([handle]) => handle);
    return `${names.join(', ') || 'a file without a name'}, open as ${handles.join(', ') || 'nothing'}`;
  }
}

function refused({ error, late }: Answer): string | null {
  if (error !== undefined) return `refused: ${error}`;
  return late.length === 0 ? null : `an fsync that went on meanwhile was refused: ${late.join(', ')}`;
}

/** What is between data must be zeros. */
function wrongExtents(extents: readonly (readonly [first: number, end: number])[], file: ModelFile): string | null {
  const zeros = (offset: number, end: number) => {
    const bytes = file.read({ offset, length: end - offset });
    return bytes.every((byte) => byte === 0) ? null : `a hole is reported from ${offset} to ${end}, where data is`;
  };
  let at = 0;
  for (const [first, end] of extents) {
    if (first < at || end <= first || end > file.sizeBytes) return `data is reported from ${first} to ${end}`;
    const wrong = zeros(at, first);
    if (wrong !== null) return wrong;
    at = end;
  }
  return zeros(at, file.sizeBytes);
}
