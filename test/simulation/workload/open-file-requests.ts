// Files that clients have open: they are read on whatever becomes of their
// names, until the last one closes them.
import type { FileHistory } from '../model/file-history.js';
import { type ContentRequests, MAXIMUM_FILE_BLOCKS } from './content-requests.js';
import type { Client, Ledger } from './ledger.js';

const MAXIMUM_OPEN_FILES = 3;

export class OpenFileRequests {
  readonly #ledger: Ledger;
  readonly #content: ContentRequests;

  constructor(ledger: Ledger, content: ContentRequests) {
    this.#ledger = ledger;
    this.#content = content;
  }

  /** Opens a file, or reads or closes one that is open. */
  async act(client: Client, file: FileHistory | undefined): Promise<void> {
    const { random } = this.#ledger.around;
    const open = [...client.held.keys()];
    const isNew = file !== undefined && !client.held.has(file.inode) && open.length < MAXIMUM_OPEN_FILES;
    if (isNew && (open.length === 0 || random.chance(0.3))) return this.open(client, file.inode);
    if (open.length === 0) return;
    const inode = random.pick(open);
    if (random.chance(0.2)) return this.#close(client, inode);
    return this.read(client, inode);
  }

  /** Reads and closes whatever is open. */
  async closeAll(client: Client): Promise<void> {
    for (const inode of [...client.held.keys()]) {
      await this.read(client, inode);
      this.#close(client, inode);
    }
  }

  read(client: Client, inode: number): Promise<void> {
    const { history } = this.#ledger.file(inode, client);
    return this.#content.read(client, history, 0, MAXIMUM_FILE_BLOCKS * this.#ledger.around.blockSizeBytes);
  }

  async open(client: Client, inode: number): Promise<void> {
    const id = this.#ledger.start(client, `opens inode ${inode}`);
    const crashes = this.#ledger.around.metaserverCrashes();
    const request = { inode, forWriting: false };
    // Before it is asked for, as a mount does: from then on it must not go.
    client.open.add(inode);
    const opened = await this.#content.watch(client, id, inode, 'open', () => client.files.open(request));
    if (opened === null) {
      client.open.remove(inode);
      return;
    }
    const isCertain = crashes === this.#ledger.around.metaserverCrashes();
    client.held.set(inode, isCertain ? this.#ledger.around.nowUs() : null);
  }

  #close(client: Client, inode: number): void {
    this.#ledger.around.note(`${client.name} closes inode ${inode}`);
    client.held.delete(inode);
    client.open.remove(inode);
  }
}
