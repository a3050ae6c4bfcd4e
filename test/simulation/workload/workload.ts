// What clients do: each sends one request at a time, several of them work on
// the same files. Every request and answer goes to the models, which judge it.
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { ConnectedClient } from '../clients.js';
import { Contradiction } from '../model/file-history.js';
import { NamespaceHistory } from '../model/namespace-history.js';
import { ContentRequests, MAXIMUM_FILE_BLOCKS } from './content-requests.js';
import { LastAct, type Stage } from './last-act.js';
import { CALLER, type Client, Ledger, type OpenFile, type Surroundings } from './ledger.js';
import { LockRequests } from './lock-requests.js';
import { NameRequests } from './name-requests.js';
import { OpenFileRequests } from './open-file-requests.js';

/** Writes whose outcome is open, on one file; beyond it the file is left alone for a while. */
const MAXIMUM_OPEN_WRITES = 4;

/** Shares of requests about open files and locks, and of walks through all files. */
const OPEN_FILE_SHARE = 0.06;
const WALK_SHARE = 0.03;
const LOCK_SHARE = 0.05;

export class Workload {
  readonly clients: Client[];
  readonly #ledger: Ledger;
  readonly #content: ContentRequests;
  readonly #names: NameRequests;
  readonly #openFiles: OpenFileRequests;
  readonly #locks: LockRequests;
  /** What this run's clients mostly do: shares of requests about names, and of the others, of reads. */
  readonly #nameShare: number;
  readonly #readShare: number;
  /** The metaserver has crashed, and the mediator is not connected to it again yet. */
  #isCrashUnnoticed = false;

  readonly #connected: readonly ConnectedClient[];
  readonly #around: Surroundings;

  constructor(connected: readonly ConnectedClient[], around: Surroundings) {
    this.#connected = connected;
    this.#around = around;
    this.#nameShare = around.random.pick([0.05, 0.2, 0.4]);
    this.#readShare = around.random.pick([0.2, 0.4, 0.6]);
    this.clients = connected.map(({ name, files, session, open }) => ({
      name,
      files,
      session,
      open,
      directory: 0,
      names: new NamespaceHistory(name),
      held: new Map(),
      locks: new Map(),
      verifier: null,
      isBusy: false,
      cutOff: null,
      mustList: false,
    }));
    this.#ledger = new Ledger(this.clients, around);
    this.#locks = new LockRequests(this.#ledger);
    this.#content = new ContentRequests(this.#ledger, this.#locks);
    this.#names = new NameRequests(this.#ledger);
    this.#openFiles = new OpenFileRequests(this.#ledger, this.#content);
    for (const [at, one] of connected.entries()) one.onLostLocks = (locks) => this.#locks.lost(this.clients[at], locks);
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

  /** Begins every client's session, and makes its folder; before anything goes wrong. */
  async prepare(): Promise<void> {
    await Promise.all(this.clients.map(({ session }) => session.start()));
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
    this.#inProcess(client, () => this.#act(client))
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
    this.#isCrashUnnoticed = true;
    this.#heldMayBeUndone();
    this.#contentMayBeUndone();
  }

  /** The mediator learns that the metaserver crashed: what it had seen of writes that were never acknowledged is undone. */
  metaserverReturned(): void {
    this.mediatorForgot();
    this.#contentMayBeUndone();
    // Until now it may have answered an open from memory.
    if (this.#isCrashUnnoticed) this.#heldMayBeUndone();
    this.#isCrashUnnoticed = false;
  }

  /** The mediator has lost its connection to the metaserver, and with it what it remembers. */
  mediatorForgot(): void {
    for (const { names } of this.clients) names.mediatorForgot();
  }

  /** Another mediator is the active one. It has not seen what a crash of the metaserver has lost, and remembers nothing. */
  tookOver(): void {
    if (this.#isCrashUnnoticed) this.metaserverReturned();
    else this.mediatorForgot();
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

  /** Reads and closes everything that is open, and gives up all locks. */
  async closeEverything(): Promise<void> {
    for (const client of this.clients) {
      await this.#openFiles.closeAll(client);
      // Whose lock is lost hears of it with this answer, if he has not before.
      for (const inode of client.locks.keys()) await this.#content.fsync(client, inode);
      await this.#locks.unlockAll(client);
    }
  }

  /** After the faults: what chance seldom brings about. */
  lastAct(stage: Stage): Promise<void> {
    const requests = { content: this.#content, names: this.#names, openFiles: this.#openFiles, locks: this.#locks };
    return new LastAct(this.#ledger, requests).play(stage, (client, act) => this.#inProcess(client, act));
  }

  /** Inodes that have a name. */
  namedInodes(): Set<number> {
    return new Set(this.clients.flatMap((client) => [...client.names.likelyNames.values()]));
  }

  /** Whoever is stopped begins when he goes on. */
  #inProcess({ name }: Client, act: () => Promise<void>): Promise<void> {
    const process = this.#connected.find((one) => one.name === name)?.host.process;
    return new Promise((resolve, reject) => {
      process?.after(0, () => {
        act().then(resolve, reject);
      });
    });
  }

  /** That what clients have open was made may be undone. */
  #heldMayBeUndone(): void {
    for (const { held } of this.clients) for (const inode of held.keys()) held.set(inode, null);
  }

  #contentMayBeUndone(): void {
    for (const { history } of this.#ledger.files.values()) history.metaserverCrashed();
  }

  async #act(client: Client): Promise<void> {
    const { random } = this.#around;
    if (client.cutOff === null && client.mustList) return this.#names.list(client);
    if (client.cutOff === null && random.chance(this.#nameShare)) return this.#names.change(client);
    if (random.chance(OPEN_FILE_SHARE)) return this.#openFiles.act(client, this.#pickFile()?.history);
    if (random.chance(LOCK_SHARE)) return this.#locks.act(client, this.#pickFile()?.history.inode);
    if (random.chance(WALK_SHARE)) return this.#walk(client);
    const file = this.#pickFile(client);
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

  /** Reads all files in the order in which they were made, as programs do that the mediator reads ahead for. */
  async #walk(client: Client): Promise<void> {
    for (const inode of [...this.namedInodes()].sort((a, b) => a - b)) {
      const file = this.namedInodes().has(inode) ? this.#ledger.files.get(inode) : undefined;
      if (file === undefined) continue;
      await this.#content.read(client, file.history, 0, MAXIMUM_FILE_BLOCKS * this.#around.blockSizeBytes);
    }
  }

  /** Mostly the one that the client has locked, if any. */
  #pickFile(client?: Client): OpenFile | null {
    const [locked] = client?.locks.keys() ?? [];
    if (locked !== undefined && this.#around.random.chance(0.5)) return this.#ledger.files.get(locked) ?? null;
    const named = [...this.namedInodes()].filter((inode) => this.#ledger.files.has(inode));
    if (named.length === 0) return null;
    return this.#ledger.files.get(this.#around.random.pick(named)) ?? null;
  }
}
