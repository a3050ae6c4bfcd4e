// What chance brings about too seldom, at the end of every run: a client that
// has a file without a name open while the mediator is started anew, and one
// that is away for longer than its session lives while another gets its lock.
import type { ContentRequests } from './content-requests.js';
import type { Client, Ledger } from './ledger.js';
import type { LockRequests } from './lock-requests.js';
import type { NameRequests } from './name-requests.js';
import type { OpenFileRequests } from './open-file-requests.js';

/** What is done to the cluster. */
export interface Stage {
  /** Lets time pass. */
  pass(durationMs: number): Promise<void>;
  /** Resolves when it is started and all clients are connected to it. */
  restartMediator(): Promise<void>;
  /** Resolves, while the client is still stopped, when its session is over. */
  stopClient(name: string): Promise<void>;
}

/** Within this a mediator that was started anew has begun to clear up. */
const CLEARING_UP_MS = 3000;

export interface Requests {
  content: ContentRequests;
  names: NameRequests;
  openFiles: OpenFileRequests;
  locks: LockRequests;
}

export class LastAct {
  readonly #ledger: Ledger;
  readonly #requests: Requests;

  constructor(ledger: Ledger, requests: Requests) {
    this.#ledger = ledger;
    this.#requests = requests;
  }

  /** @param inProcess runs something in the client's process, as soon as it is not stopped */
  async play(stage: Stage, inProcess: (client: Client, act: () => Promise<void>) => Promise<void>): Promise<void> {
    const [one, other] = this.#ledger.clients;
    if (one === undefined || other === undefined) return;
    if (other.names.likelyNames.size === 0) await this.#requests.names.create(other);
    await this.#holdOn(one, other, stage);
    if (other.names.likelyNames.size === 0) await this.#requests.names.create(other);
    await this.#loseLock(one, other, stage, inProcess);
  }

  /** The file stays while it is open, also to a mediator that has not heard of that yet. */
  async #holdOn(one: Client, other: Client, stage: Stage): Promise<void> {
    const [found] = other.names.likelyNames;
    if (found === undefined) return;
    const [name, inode] = found;
    const { openFiles, names } = this.#requests;
    await openFiles.open(one, inode);
    await names.unlink(other, name);
    await stage.pass(CLEARING_UP_MS);
    await openFiles.read(one, inode);
    await stage.restartMediator();
    await stage.pass(CLEARING_UP_MS);
    await openFiles.closeAll(one);
  }

  /** What the client sends when it goes on is sent before it can know that its session is over. */
  async #loseLock(
    one: Client,
    other: Client,
    stage: Stage,
    inProcess: (client: Client, act: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const [inode] = other.names.likelyNames.values();
    if (inode === undefined) return;
    const { locks, content } = this.#requests;
    await locks.lock(one, inode);
    await stage.stopClient(one.name);
    await locks.lock(other, inode);
    const sync = () => content.fsync(one, inode);
    await inProcess(one, sync);
    await sync();
    await locks.unlockAll(one);
    await locks.unlockAll(other);
  }
}
