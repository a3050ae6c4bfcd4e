// Requests about names, by each client in a folder of its own, told to the
// model of that folder.
import { FileError } from '../../../src/protocol/errors.js';
import { Contradiction } from '../model/file-history.js';
import type { NameAnswer, NameRequest } from '../model/namespace-history.js';
import { CALLER, type Client, type Ledger } from './ledger.js';

/** Names in each client's folder: few, so that they are taken, replaced and exchanged. */
const NAMES = ['a', 'b', 'c', 'd'];

export class NameRequests {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  async change(client: Client): Promise<void> {
    const { random } = this.#ledger.around;
    const names = [...client.names.likelyNames.keys()];
    if (names.length < 2) return this.create(client);
    const name = this.#heldName(client) ?? random.pick(names);
    const other = random.pick(NAMES);
    const directory = client.directory;
    const { files } = client;
    const roll = random.fraction();
    if (roll < 0.3) return this.create(client);
    if (roll < 0.45) return this.unlink(client, name);
    if (roll < 0.65) {
      const mode = random.pick(['replace', 'no-replace', 'exchange'] as const);
      const request = { parent: directory, name, newParent: directory, newName: other, mode, held: client.open.all };
      const answer = (): Promise<NameAnswer> => files.rename(request).then(() => ({ state: 'done' }));
      return this.#send(client, { kind: 'rename', name, newName: other, mode }, answer);
    }
    if (roll < 0.75) {
      const inode = client.names.likelyNames.get(name);
      if (inode === undefined || inode < 0) return;
      const answer = (): Promise<NameAnswer> =>
        files.link({ inode, parent: directory, name: other }).then(() => ({ state: 'done' }));
      return this.#send(client, { kind: 'link', inode, name: other }, answer);
    }
    if (roll < 0.9) {
      const answer = (): Promise<NameAnswer> =>
        files.lookup({ parent: directory, name: other }).then(({ inode }) => ({ state: 'done', inode }));
      return this.#send(client, { kind: 'lookup', name: other }, answer);
    }
    return this.list(client);
  }

  /** Now and then, the name of a file that somebody has open. */
  #heldName({ names }: Client): string | undefined {
    const { around, clients } = this.#ledger;
    if (!around.random.chance(0.4)) return undefined;
    const held = new Set(clients.flatMap((client) => [...client.held.keys()]));
    return [...names.likelyNames].find(([, inode]) => held.has(inode))?.[0];
  }

  unlink(client: Client, name: string): Promise<void> {
    return this.#send(client, { kind: 'unlink', name }, async () => {
      const { inode } = await client.files.unlink({ parent: client.directory, name, held: client.open.all });
      return { state: 'done', inode };
    });
  }

  async create(client: Client): Promise<void> {
    const { random } = this.#ledger.around;
    const name = random.pick(NAMES);
    const exclusive = random.chance(0.5);
    const forWriting = random.chance(0.5);
    const request = { parent: client.directory, name, mode: 0o644, exclusive, forWriting, caller: CALLER };
    return this.#send(client, { kind: 'create', name, exclusive }, async () => {
      const { attributes, created } = await client.files.create(request);
      const { inode } = attributes;
      if (created && this.#ledger.files.has(inode)) throw new Contradiction(`inode ${inode} was given to two files`);
      this.#ledger.file(inode, client);
      // What is made is open, and is closed at once.
      client.open.add(inode);
      client.open.remove(inode);
      return { state: 'done', inode, created };
    });
  }

  /** Lists the client's folder. */
  list(client: Client): Promise<void> {
    return this.#send(client, { kind: 'list' }, async () => {
      const request = { inode: client.directory, cookie: 0, limit: 100, attributes: false };
      const { entries } = await client.files.readdir(request);
      for (const { inode } of entries) this.#ledger.file(inode, client);
      client.mustList = false;
      return { state: 'done', entries: new Map(entries.map(({ name, inode }) => [name, inode])) };
    });
  }

  /** A request about the names of the client's own folder. */
  async #send(client: Client, request: NameRequest, send: () => Promise<NameAnswer>): Promise<void> {
    const id = this.#ledger.start(client, `${request.kind} ${JSON.stringify({ ...request, kind: undefined })}`);
    const startedUs = this.#ledger.around.nowUs();
    client.names.starts(request);
    try {
      const answer = await send();
      this.#ledger.done(id);
      client.names.answered(answer);
    } catch (error) {
      if (error instanceof Contradiction) throw error;
      if (error instanceof FileError) {
        this.#ledger.end(id, `refused: ${error.message}`);
        this.#ledger.answers.refused++;
        // Making a file to write into is refused while no write would be taken, any change while the metaserver's disk fails.
        const isDiskBad = this.#ledger.around.mayRefuseChanges() && request.kind !== 'list';
        if (error.code === 'EIO' && (request.kind === 'create' || isDiskBad)) client.names.refused();
        else client.names.answered({ state: 'error', code: error.code });
        return;
      }
      this.#ledger.unknown(id, error);
      client.cutOff = { startedUs, cutOffUs: this.#ledger.around.nowUs() };
    }
  }
}
