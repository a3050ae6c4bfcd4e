// What clients do: each sends one request at a time, several of them work on
// the same files. Every request and answer goes to the models, which judge it.
import { FileError } from '../../src/protocol/errors.js';
import { type FileService, ROOT_INODE } from '../../src/protocol/files.js';
import { Contradiction, FileHistory } from './model/file-history.js';
import { bytesOf, EXTENTS_PER_REQUEST, type ModelWrite } from './model/file-state.js';
import { type NameAnswer, NamespaceHistory, type NameRequest } from './model/namespace-history.js';
import type { SeededRandom } from './world/seeded-random.js';

/** Writes whose outcome is open, on one file; beyond it the file is left alone for a while. */
const MAXIMUM_OPEN_WRITES = 4;
const MAXIMUM_FILE_BLOCKS = 4;
/** Names in each client's folder. */
const NAMES = ['a', 'b', 'c', 'd'];
const CALLER = { uid: 0, gid: 0 };

/** What the workload needs to know of the run around it. */
export interface Surroundings {
  readonly random: SeededRandom;
  readonly blockSizeBytes: number;
  nowUs(): number;
  note(text: string): void;
  /** Something happened that must not: ends the run. */
  violation(message: string): void;
  /** How often the metaserver has crashed so far. */
  metaserverCrashes(): number;
  /** Since when nothing has held up a request that was cut off from its client at `sinceUs`. */
  isSettled(request: { startedUs: number; cutOffUs: number }): boolean;
  /** A read was refused with EIO; judges whether it may have been. */
  readRefused(inode: number, startedUs: number): Promise<void>;
  /** Whether disks are full just now, or have been lately. */
  mayBeFull(): boolean;
}

interface OpenFile {
  history: FileHistory;
  owner: Client;
}

/** A write that got no definite answer. */
interface CutOff {
  request: number;
  inode: number;
  startedUs: number;
  cutOffUs: number;
}

interface Client {
  name: string;
  files: FileService;
  directory: number;
  names: NamespaceHistory;
  isBusy: boolean;
  /** Its last change of names got no answer, and no further one may follow until it is clear that it is over. */
  cutOff: { startedUs: number; cutOffUs: number } | null;
  /** Its folder must be listed before the next change, to learn what became of the last. */
  mustList: boolean;
}

export class Workload {
  readonly clients: Client[];
  readonly #files = new Map<number, OpenFile>();
  #cutOff: CutOff[] = [];
  #requests = 0;
  #openWrites = 0;
  /** What this run's clients mostly do: shares of requests about names, and of the others, of reads. */
  readonly #nameShare: number;
  readonly #readShare: number;
  readonly answers = { done: 0, refused: 0, unknown: 0 };

  constructor(
    clients: readonly { name: string; files: FileService }[],
    private readonly around: Surroundings,
  ) {
    this.#nameShare = around.random.pick([0.05, 0.2, 0.4]);
    this.#readShare = around.random.pick([0.2, 0.4, 0.6]);
    this.clients = clients.map(({ name, files }) => ({
      name,
      files,
      directory: 0,
      names: new NamespaceHistory(name),
      isBusy: false,
      cutOff: null,
      mustList: false,
    }));
  }

  /** Requests that may still change something. */
  get openWrites(): number {
    return this.#openWrites + this.#cutOff.length;
  }

  get isIdle(): boolean {
    return this.clients.every((client) => !client.isBusy);
  }

  get hasCutOff(): boolean {
    return this.#cutOff.length > 0 || this.clients.some((client) => client.cutOff !== null);
  }

  /** Makes every client's folder; before anything goes wrong. */
  async prepare(): Promise<void> {
    for (const client of this.clients) {
      const request = { parent: ROOT_INODE, name: client.name, mode: 0o755, caller: CALLER };
      client.directory = (await client.files.mkdir(request)).inode;
      await client.files.fsync({ inode: client.directory });
    }
  }

  /** Has one idle client send something; false when all wait for answers. */
  step(): boolean {
    this.settle();
    const idle = this.clients.filter((client) => !client.isBusy);
    if (idle.length === 0) return false;
    const client = this.around.random.pick(idle);
    client.isBusy = true;
    this.#act(client)
      .catch((error: unknown) => {
        if (error instanceof Contradiction) this.around.violation(error.message);
        else this.around.violation(error instanceof Error ? (error.stack ?? error.message) : String(error));
      })
      .finally(() => {
        client.isBusy = false;
      });
    return true;
  }

  /** Takes note of requests without an answer that can't change anything any more. */
  settle(): void {
    this.#cutOff = this.#cutOff.filter((each) => {
      if (!this.around.isSettled(each)) return true;
      this.around.note(`request ${each.request} is over, whatever became of it`);
      this.#files.get(each.inode)?.history.writeSettles(each.request);
      return false;
    });
    for (const client of this.clients) {
      if (client.cutOff === null || !this.around.isSettled(client.cutOff)) continue;
      client.cutOff = null;
      client.names.settles();
      client.mustList = true;
    }
  }

  metaserverCrashed(): void {
    for (const { names } of this.clients) names.metaserverCrashed();
    this.metaserverReturned();
  }

  /** The mediator learns that the metaserver crashed: what it had seen of writes that were never acknowledged is undone. */
  metaserverReturned(): void {
    for (const { history } of this.#files.values()) history.metaserverCrashed();
  }

  /** Whether all clients can talk to the mediator, and it to the metaserver. A connection that a power cut has left behind breaks here. */
  async areAllConnected(): Promise<boolean> {
    const answers = this.clients.map(({ files }) => files.getattr({ inode: ROOT_INODE }).then(() => true));
    return (await Promise.all(answers.map((answer) => answer.catch(() => false)))).every(Boolean);
  }

  /** Lists every folder and reads every file; all must be there, and as the models say. */
  async readEverything(): Promise<void> {
    for (const client of this.clients) {
      await this.#list(client);
      for (const inode of new Set(client.names.likelyNames.values())) {
        const { history } = this.#file(inode, client);
        await this.#read(client, history, 0, MAXIMUM_FILE_BLOCKS * this.around.blockSizeBytes + 1);
      }
    }
  }

  /** Inodes that have a name. */
  namedInodes(): Set<number> {
    return new Set(this.clients.flatMap((client) => [...client.names.likelyNames.values()]));
  }

  async #act(client: Client): Promise<void> {
    const { random } = this.around;
    if (client.cutOff === null && client.mustList) return this.#list(client);
    if (client.cutOff === null && random.chance(this.#nameShare)) return this.#changeNames(client);
    const file = this.#pickFile();
    if (file === null) {
      if (client.cutOff === null) return this.#create(client);
      return;
    }
    const { history } = file;
    if (random.chance(this.#readShare)) return this.#read(client, history, ...this.#range(history));
    const roll = random.fraction();
    if (roll < 0.05) return this.#size(client, history);
    if (roll < 0.15) return this.#changeMode(client, history);
    if (roll < 0.2) return this.#fsync(client, history.inode);
    if (history.openWrites >= MAXIMUM_OPEN_WRITES) return;
    if (roll < 0.3) return this.#truncate(client, history);
    return this.#write(client, history);
  }

  #pickFile(): OpenFile | null {
    const named = [...this.namedInodes()].filter((inode) => this.#files.has(inode));
    if (named.length === 0) return null;
    return this.#files.get(this.around.random.pick(named)) ?? null;
  }

  #file(inode: number, owner: Client): OpenFile {
    let file = this.#files.get(inode);
    if (file === undefined) {
      file = { history: new FileHistory(inode), owner };
      this.#files.set(inode, file);
    }
    return file;
  }

  #range(history: FileHistory): [offset: number, length: number] {
    const { random, blockSizeBytes } = this.around;
    const most = MAXIMUM_FILE_BLOCKS * blockSizeBytes;
    if (random.chance(0.3)) return [0, most];
    const offset = random.between(0, Math.max(1, history.likelyState.sizeBytes));
    return [offset, random.between(1, random.chance(0.5) ? 500 : 2 * blockSizeBytes)];
  }

  async #read(client: Client, history: FileHistory, offset: number, length: number): Promise<void> {
    const { inode } = history;
    const id = this.#start(client, `reads ${length} bytes at ${offset} of inode ${inode}`);
    history.lookStarts(id);
    const answer = await this.#watch(id, inode, 'read', () => client.files.read({ inode, offset, length }));
    if (answer === null) history.lookFails(id);
    else history.readSucceeds(id, offset, length, answer.data);
  }

  async #size(client: Client, history: FileHistory): Promise<void> {
    const { inode } = history;
    const id = this.#start(client, `asks for the size of inode ${inode}`);
    history.lookStarts(id);
    const attributes = await this.#watch(id, inode, 'stat', () => client.files.getattr({ inode }));
    if (attributes === null) history.lookFails(id);
    else history.sizeSeen(id, attributes.sizeBytes);
  }

  /** A change that no crash of the metaserver need survive, and that shows the size. */
  async #changeMode(client: Client, history: FileHistory): Promise<void> {
    const { inode } = history;
    const id = this.#start(client, `changes the mode of inode ${inode}`);
    history.lookStarts(id);
    const request = { inode, changes: { mode: 0o600 + this.around.random.between(0, 63) }, caller: CALLER };
    const attributes = await this.#watch(id, inode, 'stat', () => client.files.setattr(request));
    if (attributes === null) history.lookFails(id);
    else history.sizeSeen(id, attributes.sizeBytes);
  }

  async #fsync(client: Client, inode: number): Promise<void> {
    const id = this.#start(client, `syncs inode ${inode}`);
    const marks = this.#marks();
    const done = await this.#watch(id, inode, 'sync', () => client.files.fsync({ inode }));
    if (done !== null) this.#synced(marks);
  }

  async #truncate(client: Client, history: FileHistory): Promise<void> {
    const { random, blockSizeBytes } = this.around;
    const size = random.chance(0.2) ? 0 : random.between(0, MAXIMUM_FILE_BLOCKS * blockSizeBytes);
    const { inode } = history;
    await this.#change(client, history, { extents: [], truncateTo: size }, `cuts inode ${inode} to ${size}`, () =>
      client.files.setattr({ inode, changes: { sizeBytes: size }, caller: CALLER }),
    );
  }

  async #write(client: Client, history: FileHistory): Promise<void> {
    const { random } = this.around;
    const { inode } = history;
    const truncateTo = random.chance(0.1) ? random.between(0, history.likelyState.sizeBytes) : null;
    const count = random.chance(0.8) ? 1 : random.between(2, 3);
    const extents = Array.from({ length: count }, (_, at) => ({
      ...this.#extent(history),
      source: (this.#requests + 1) * EXTENTS_PER_REQUEST + at,
    }));
    const words = extents.map(({ offset, length }) => `${length} at ${offset}`).join(', ');
    const cut = truncateTo === null ? '' : `, cut to ${truncateTo} before`;
    await this.#change(client, history, { extents, truncateTo }, `writes ${words} to inode ${inode}${cut}`, () =>
      client.files.write({
        inode,
        extents: extents.map(({ offset, length, source }) => ({ offset, data: bytesOf(source, offset, length) })),
        modifyTimeNs: BigInt(this.around.nowUs()) * 1000n,
        ...(truncateTo === null ? {} : { truncateTo }),
      }),
    );
  }

  /** A part of a page, a page or more, whole blocks, an append; within the largest size. */
  #extent(history: FileHistory): { offset: number; length: number } {
    const { random, blockSizeBytes } = this.around;
    const most = MAXIMUM_FILE_BLOCKS * blockSizeBytes;
    const clip = (offset: number, length: number) => ({ offset, length: Math.min(length, most - offset) });
    switch (random.pick(['small', 'small', 'middle', 'whole', 'append'] as const)) {
      case 'small':
        return clip(random.between(0, most - 1), random.between(1, 600));
      case 'middle':
        return clip(random.between(0, most - 1), random.between(1, 2 * blockSizeBytes));
      case 'whole':
        return clip(random.between(0, MAXIMUM_FILE_BLOCKS - 1) * blockSizeBytes, random.between(1, 2) * blockSizeBytes);
      case 'append':
        return clip(Math.min(history.likelyState.sizeBytes, most - 1), random.between(1, blockSizeBytes));
    }
  }

  /** A change of one file's content. */
  async #change(
    client: Client,
    history: FileHistory,
    write: ModelWrite,
    words: string,
    send: () => Promise<{ sizeBytes: number }>,
  ): Promise<void> {
    const id = this.#start(client, words);
    const { inode } = history;
    const startedUs = this.around.nowUs();
    const marks = this.#marks();
    history.writeStarts(id, write);
    this.#openWrites++;
    try {
      const { sizeBytes } = await send();
      this.#end(id, `done, ${sizeBytes} bytes`);
      this.answers.done++;
      history.writeSucceeds(id, sizeBytes);
      this.#synced(marks);
    } catch (error) {
      if (error instanceof Contradiction) throw error;
      if (error instanceof FileError) {
        this.#refused(id, inode, 'write', error);
        history.writeFails(id);
        return;
      }
      this.#unknown(id, error);
      this.#cutOff.push({ request: id, inode, startedUs, cutOffUs: this.around.nowUs() });
    } finally {
      this.#openWrites--;
    }
  }

  /** A request that changes nothing; null when it was refused or cut off. */
  async #watch<T>(id: number, inode: number, kind: 'read' | 'stat' | 'sync', send: () => Promise<T>): Promise<T | null> {
    const startedUs = this.around.nowUs();
    try {
      const result = await send();
      this.#end(id, 'done');
      this.answers.done++;
      return result;
    } catch (error) {
      if (error instanceof FileError) {
        this.#refused(id, inode, kind, error);
        if (kind === 'read' && error.code === 'EIO') await this.around.readRefused(inode, startedUs);
      } else {
        this.#unknown(id, error);
      }
      return null;
    }
  }

  /** Whether a refusal is one that may come. */
  #refused(id: number, inode: number, kind: 'read' | 'stat' | 'sync' | 'write', error: FileError): void {
    this.#end(id, `refused: ${error.message}`);
    this.answers.refused++;
    switch (error.code) {
      case 'EIO':
        if (kind === 'read' || kind === 'write') return;
        break;
      case 'ENOSPC':
        if (kind === 'write' && this.around.mayBeFull()) return;
        break;
      case 'ENOENT':
        if (this.#files.get(inode)?.owner.names.mayLack(inode) ?? true) return;
        break;
      default:
    }
    throw new Contradiction(`request ${id}: a ${kind} of inode ${inode} must not be refused with ${error.message}`);
  }

  async #changeNames(client: Client): Promise<void> {
    const { random } = this.around;
    const names = [...client.names.likelyNames.keys()];
    if (names.length < 2) return this.#create(client);
    const name = random.pick(names);
    const other = random.pick(NAMES);
    const directory = client.directory;
    const { files } = client;
    const roll = random.fraction();
    if (roll < 0.3) return this.#create(client);
    if (roll < 0.45) {
      const answer = (): Promise<NameAnswer> =>
        files.unlink({ parent: directory, name, held: [] }).then(({ inode }) => ({ state: 'done', inode }));
      return this.#nameRequest(client, { kind: 'unlink', name }, answer);
    }
    if (roll < 0.65) {
      const mode = random.pick(['replace', 'no-replace', 'exchange'] as const);
      const request = { parent: directory, name, newParent: directory, newName: other, mode, held: [] };
      const answer = (): Promise<NameAnswer> => files.rename(request).then(() => ({ state: 'done' }));
      return this.#nameRequest(client, { kind: 'rename', name, newName: other, mode }, answer);
    }
    if (roll < 0.75) {
      const inode = client.names.likelyNames.get(name);
      if (inode === undefined || inode < 0) return;
      const answer = (): Promise<NameAnswer> =>
        files.link({ inode, parent: directory, name: other }).then(() => ({ state: 'done' }));
      return this.#nameRequest(client, { kind: 'link', inode, name: other }, answer);
    }
    if (roll < 0.9) {
      const answer = (): Promise<NameAnswer> =>
        files.lookup({ parent: directory, name: other }).then(({ inode }) => ({ state: 'done', inode }));
      return this.#nameRequest(client, { kind: 'lookup', name: other }, answer);
    }
    return this.#list(client);
  }

  async #create(client: Client): Promise<void> {
    const { random } = this.around;
    const name = random.pick(NAMES);
    const exclusive = random.chance(0.5);
    const forWriting = random.chance(0.5);
    const request = { parent: client.directory, name, mode: 0o644, exclusive, forWriting, caller: CALLER };
    return this.#nameRequest(client, { kind: 'create', name, exclusive }, async () => {
      const { attributes, created } = await client.files.create(request);
      const { inode } = attributes;
      if (created && this.#files.has(inode)) throw new Contradiction(`inode ${inode} was given to two files`);
      this.#file(inode, client);
      return { state: 'done', inode, created };
    });
  }

  #list(client: Client): Promise<void> {
    return this.#nameRequest(client, { kind: 'list' }, async () => {
      const request = { inode: client.directory, cookie: 0, limit: 100, attributes: false };
      const { entries } = await client.files.readdir(request);
      for (const { inode } of entries) this.#file(inode, client);
      client.mustList = false;
      return { state: 'done', entries: new Map(entries.map(({ name, inode }) => [name, inode])) };
    });
  }

  /** A request about the names of the client's own folder. */
  async #nameRequest(client: Client, request: NameRequest, send: () => Promise<NameAnswer>): Promise<void> {
    const id = this.#start(client, `${request.kind} ${JSON.stringify({ ...request, kind: undefined })}`);
    const startedUs = this.around.nowUs();
    client.names.starts(request);
    try {
      const answer = await send();
      this.#end(id, 'done');
      this.answers.done++;
      client.names.answered(answer);
    } catch (error) {
      if (error instanceof Contradiction) throw error;
      if (error instanceof FileError) {
        this.#end(id, `refused: ${error.message}`);
        this.answers.refused++;
        // Making a file to write into is refused while no write would be taken.
        if (error.code === 'EIO' && request.kind === 'create') client.names.refused();
        else client.names.answered({ state: 'error', code: error.code });
        return;
      }
      this.#unknown(id, error);
      client.cutOff = { startedUs, cutOffUs: this.around.nowUs() };
    }
  }

  /** What each client's names have come to, and how often the metaserver has crashed. */
  #marks(): { crashes: number; marks: number[] } {
    return { crashes: this.around.metaserverCrashes(), marks: this.clients.map((client) => client.names.mark) };
  }

  /** A sync that began at the marks was acknowledged. */
  #synced({ crashes, marks }: { crashes: number; marks: number[] }): void {
    // What a crash in between has lost was lost before the sync.
    if (crashes !== this.around.metaserverCrashes()) return;
    this.clients.forEach((client, at) => {
      client.names.synced(marks[at] ?? 0);
    });
  }

  #start(client: Client, words: string): number {
    const id = ++this.#requests;
    this.around.note(`${client.name} ${words} (request ${id})`);
    return id;
  }

  #end(id: number, words: string): void {
    this.around.note(`request ${id} ${words}`);
  }

  #unknown(id: number, error: unknown): void {
    this.answers.unknown++;
    this.#end(id, `cut off: ${error instanceof Error ? error.message : String(error)}`);
  }
}
