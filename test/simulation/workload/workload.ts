// What clients do: each sends one request at a time, several of them work on
// the same files. Every request and answer goes to the models, which judge it.
import { type FileService, ROOT_INODE } from '../../../src/protocol/services/files.js';
import { Contradiction } from '../model/file-history.js';
import { NamespaceHistory } from '../model/namespace-history.js';
import { ContentRequests, MAXIMUM_FILE_BLOCKS } from './content-requests.js';
import { CALLER, type Client, Ledger, type OpenFile, type Surroundings } from './ledger.js';
import { NameRequests } from './name-requests.js';

/** Writes whose outcome is open, on one file; beyond it the file is left alone for a while. */
const MAXIMUM_OPEN_WRITES = 4;

export class Workload {
  readonly clients: Client[];
  readonly #ledger: Ledger;
  readonly #content: ContentRequests;
  readonly #names: NameRequests;
  /** What this run's clients mostly do: shares of requests about names, and of the others, of reads. */
  readonly #nameShare: number;
  readonly #readShare: number;

  readonly #around: Surroundings;

  constructor(clients: readonly { name: string; files: FileService }[], around: Surroundings) {
    this.#around = around;
    this.#nameShare = around.random.pick([0.05, 0.2, 0.4]);
    this.#readShare = around.random.pick([0.2, 0.4, 0.6]);
    this.clients = clients.map(({ name, files }) => ({
      name,
      files,
      directory: 0,
      names: new NamespaceHistory(name),
      verifier: null,
      isBusy: false,
      cutOff: null,
      mustList: false,
    }));
    this.#ledger = new Ledger(this.clients, around);
    this.#content = new ContentRequests(this.#ledger);
    this.#names = new NameRequests(this.#ledger);
  }

  /** How many requests were answered, refused, and left without an answer. */
  get answers(): Readonly<Ledger['answers']> {
    return this.#ledger.answers;
  }

  /** Requests that may still change something. */
  get openWrites(): number {
    return this.#ledger.openWrites + this.#ledger.cutOff.length;
  }

  get isIdle(): boolean {
    return this.clients.every((client) => !client.isBusy);
  }

  get hasCutOff(): boolean {
    return this.#ledger.cutOff.length > 0 || this.clients.some((client) => client.cutOff !== null);
  }

  /** Makes every client's folder; before anything goes wrong. */
  async prepare(): Promise<void> {
    for (const client of this.clients) {
      const request = { parent: ROOT_INODE, name: client.name, mode: 0o755, caller: CALLER };
      client.directory = (await client.files.mkdir(request)).attributes.inode;
      const { verifier } = await client.files.fsync({ inode: client.directory });
      this.#ledger.verified(client, verifier);
    }
  }

  /** Has one idle client send something; false when all wait for answers. */
  step(): boolean {
    this.settle();
    const idle = this.clients.filter((client) => !client.isBusy);
    if (idle.length === 0) return false;
    const client = this.#around.random.pick(idle);
    client.isBusy = true;
    this.#act(client)
      .catch((error: unknown) => {
        if (error instanceof Contradiction) this.#around.violation(error.message);
        else this.#around.violation(error instanceof Error ? (error.stack ?? error.message) : String(error));
      })
      .finally(() => {
        client.isBusy = false;
      });
    return true;
  }

  /** Takes note of requests without an answer that can't change anything any more. */
  settle(): void {
    this.#ledger.cutOff = this.#ledger.cutOff.filter((each) => {
      if (!this.#around.isSettled(each)) return true;
      this.#around.note(`request ${each.request} is over, whatever became of it`);
      this.#ledger.files.get(each.inode)?.history.writeSettles(each.request);
      return false;
    });
    for (const client of this.clients) {
      if (client.cutOff === null || !this.#around.isSettled(client.cutOff)) continue;
      client.cutOff = null;
      client.names.settles();
      client.mustList = true;
    }
  }

  metaserverCrashed(): void {
    for (const { names } of this.clients) names.metaserverCrashed();
    this.#contentMayBeUndone();
  }

  /** The mediator learns that the metaserver crashed: what it had seen of writes that were never acknowledged is undone. */
  metaserverReturned(): void {
    this.mediatorForgot();
    this.#contentMayBeUndone();
  }

  /** The mediator has lost its connection to the metaserver, and with it what it remembers. */
  mediatorForgot(): void {
    for (const { names } of this.clients) names.mediatorForgot();
  }

  /** Whether all clients can talk to the mediator, and it to the metaserver. A connection that a power cut has left behind breaks here. */
  async areAllConnected(): Promise<boolean> {
    const answers = this.clients.map(({ files }) => files.getattr({ inode: ROOT_INODE }).then(() => true));
    return (await Promise.all(answers.map((answer) => answer.catch(() => false)))).every(Boolean);
  }

  /** Lists every folder and reads every file; all must be there, and as the models say. */
  async readEverything(): Promise<void> {
    for (const client of this.clients) {
      await this.#content.fsync(client, client.directory);
      await this.#names.list(client);
      for (const inode of new Set(client.names.likelyNames.values())) {
        const { history } = this.#ledger.file(inode, client);
        await this.#content.read(client, history, 0, MAXIMUM_FILE_BLOCKS * this.#around.blockSizeBytes + 1);
      }
    }
  }

  /** Inodes that have a name. */
  namedInodes(): Set<number> {
    return new Set(this.clients.flatMap((client) => [...client.names.likelyNames.values()]));
  }

  #contentMayBeUndone(): void {
    for (const { history } of this.#ledger.files.values()) history.metaserverCrashed();
  }

  async #act(client: Client): Promise<void> {
    const { random } = this.#around;
    if (client.cutOff === null && client.mustList) return this.#names.list(client);
    if (client.cutOff === null && random.chance(this.#nameShare)) return this.#names.change(client);
    const file = this.#pickFile();
    if (file === null) {
      if (client.cutOff === null) return this.#names.create(client);
      return;
    }
    const { history } = file;
    if (random.chance(this.#readShare)) return this.#content.read(client, history, ...this.#content.range(history));
    const roll = random.fraction();
    if (roll < 0.05) return this.#content.size(client, history);
    if (roll < 0.15) return this.#content.changeMode(client, history);
    if (roll < 0.2) return this.#content.fsync(client, history.inode);
    if (history.openWrites >= MAXIMUM_OPEN_WRITES) return;
    if (roll < 0.3) return this.#content.truncate(client, history);
    if (roll < 0.38) return this.#content.fallocate(client, history);
    return this.#content.write(client, history);
  }

  #pickFile(): OpenFile | null {
    const named = [...this.namedInodes()].filter((inode) => this.#ledger.files.has(inode));
    if (named.length === 0) return null;
    return this.#ledger.files.get(this.#around.random.pick(named)) ?? null;
  }
}
