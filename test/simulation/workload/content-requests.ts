// Requests about what is in files, each told to the model of its file.
import { FileError } from '../../../src/protocol/errors.js';
import { copyOf } from '../../../src/protocol/values/pieces.js';
import { Contradiction, type FileHistory } from '../model/file-history.js';
import { bytesOf, EXTENTS_PER_REQUEST, type ModelWrite } from '../model/file-state.js';
import { CALLER, type Client, type Ledger, type RefusableKind } from './ledger.js';
import type { LockRequests } from './lock-requests.js';

/** No file grows beyond so many blocks, so that requests meet in them. */
export const MAXIMUM_FILE_BLOCKS = 4;

export class ContentRequests {
  readonly #ledger: Ledger;
  readonly #locks: LockRequests;

  constructor(ledger: Ledger, locks: LockRequests) {
    this.#ledger = ledger;
    this.#locks = locks;
  }

  async read(client: Client, history: FileHistory, offset: number, length: number): Promise<void> {
    const { inode } = history;
    const id = this.#ledger.start(client, `reads ${length} bytes at ${offset} of inode ${inode}`);
    const { ballots } = this.#ledger.around;
    const watched = ballots.readStarts(inode);
    history.lookStarts(id);
    try {
      const answer = await this.watch(client, id, inode, 'read', () => client.files.read({ inode, offset, length }));
      if (answer === null) {
        history.lookFails(id);
        return;
      }
      const data = copyOf(answer.pieces);
      history.readSucceeds(id, offset, length, data);
      const problem = ballots.problemOf(watched, offset, data);
      if (problem !== null) throw new Contradiction(`request ${id}: ${problem}`);
    } finally {
      ballots.readEnds(watched);
    }
  }

  async size(client: Client, history: FileHistory): Promise<void> {
    const { inode } = history;
    const id = this.#ledger.start(client, `asks for the size of inode ${inode}`);
    history.lookStarts(id);
    const attributes = await this.watch(client, id, inode, 'stat', () => client.files.getattr({ inode }));
    if (attributes === null) history.lookFails(id);
    else history.sizeSeen(id, attributes.sizeBytes);
  }

  /** A change that no crash of the metaserver need survive, and that shows the size. */
  async changeMode(client: Client, history: FileHistory): Promise<void> {
    const { inode } = history;
    const id = this.#ledger.start(client, `changes the mode of inode ${inode}`);
    history.lookStarts(id);
    const request = { inode, changes: { mode: 0o600 + this.#ledger.around.random.between(0, 63) }, caller: CALLER };
    const attributes = await this.watch(client, id, inode, 'mode', () => client.files.setattr(request));
    if (attributes === null) history.lookFails(id);
    else history.sizeSeen(id, attributes.sizeBytes);
  }

  async fsync(client: Client, inode: number): Promise<void> {
    const id = this.#ledger.start(client, `syncs inode ${inode}`);
    const marks = this.#ledger.marks();
    const done = await this.watch(client, id, inode, 'sync', () => client.files.fsync({ inode }));
    if (done === null) return;
    this.#ledger.synced(marks);
    this.#ledger.verified(client, done.verifier);
  }

  async truncate(client: Client, history: FileHistory): Promise<void> {
    const { random, blockSizeBytes } = this.#ledger.around;
    const size = random.chance(0.2) ? 0 : random.between(0, MAXIMUM_FILE_BLOCKS * blockSizeBytes);
    const { inode } = history;
    await this.#change(client, history, { extents: [], truncateTo: size }, `cuts inode ${inode} to ${size}`, () =>
      client.files.setattr({ inode, changes: { sizeBytes: size }, caller: CALLER }),
    );
  }

  async write(client: Client, history: FileHistory): Promise<void> {
    const { random } = this.#ledger.around;
    const { inode } = history;
    const truncateTo = random.chance(0.1) ? random.between(0, history.likelyState.sizeBytes) : null;
    const count = random.chance(0.8) ? 1 : random.between(2, 3);
    const extents = Array.from({ length: count }, (_, at) => ({
      ...this.#extent(history),
      source: this.#ledger.nextRequest * EXTENTS_PER_REQUEST + at,
    }));
    const words = extents.map(({ offset, length }) => `${length} at ${offset}`).join(', ');
    const cut = truncateTo === null ? '' : `, cut to ${truncateTo} before`;
    await this.#change(client, history, { extents, truncateTo }, `writes ${words} to inode ${inode}${cut}`, () =>
      client.files.write({
        inode,
        extents: extents.map(({ offset, length, source }) => ({ offset, data: bytesOf(source, offset, length) })),
        modifyTimeNs: BigInt(this.#ledger.around.nowUs()) * 1000n,
        ...(truncateTo === null ? {} : { truncateTo }),
      }),
    );
  }

  /** A hole, zeros up to a new end, or only a new end. */
  async fallocate(client: Client, history: FileHistory): Promise<void> {
    const { random, blockSizeBytes } = this.#ledger.around;
    const { inode } = history;
    const most = MAXIMUM_FILE_BLOCKS * blockSizeBytes;
    const offset = random.between(0, most - 1);
    const length = random.between(1, most - offset);
    const [zeros, keepsSize] = random.pick([
      [true, true],
      [true, false],
      [false, false],
    ] as const);
    const write: ModelWrite = {
      extents: [],
      truncateTo: null,
      ...(zeros ? { zeros: { offset, length } } : {}),
      ...(keepsSize ? {} : { minimumSizeBytes: offset + length }),
    };
    const words = `${zeros ? 'zeros' : 'room for'} ${length} at ${offset} of inode ${inode}${keepsSize ? '' : ', which may grow'}`;
    const modifyTimeNs = BigInt(this.#ledger.around.nowUs()) * 1000n;
    await this.#change(client, history, write, words, () =>
      client.files.fallocate({ inode, offset, length, zeros, keepsSize, modifyTimeNs }),
    );
  }

  /** A part of a page, a page or more, whole blocks, an append; within the largest size. */
  #extent(history: FileHistory): { offset: number; length: number } {
    const { random, blockSizeBytes } = this.#ledger.around;
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
    const id = this.#ledger.start(client, words);
    const { inode } = history;
    const startedUs = this.#ledger.around.nowUs();
    const marks = this.#ledger.marks();
    history.writeStarts(id, write);
    this.#ledger.openWrites++;
    try {
      const { sizeBytes } = await send();
      this.#ledger.done(id, `done, ${sizeBytes} bytes`);
      history.writeSucceeds(id, sizeBytes);
      this.#locks.answered(client, startedUs);
      this.#ledger.synced(marks);
    } catch (error) {
      if (error instanceof Contradiction) throw error;
      if (error instanceof FileError) {
        this.#ledger.refused(client, id, inode, 'write', error);
        history.writeFails(id);
        return;
      }
      this.#ledger.unknown(id, error);
      this.#ledger.cutOff.push({ request: id, inode, startedUs, cutOffUs: this.#ledger.around.nowUs() });
    } finally {
      this.#ledger.openWrites--;
    }
  }

  /** A request that changes no content; null when it was refused or cut off. */
  async watch<T>(
    client: Client,
    id: number,
    inode: number,
    kind: Exclude<RefusableKind, 'write'>,
    send: () => Promise<T>,
  ): Promise<T | null> {
    const startedUs = this.#ledger.around.nowUs();
    try {
      const result = await send();
      this.#ledger.done(id);
      this.#locks.answered(client, startedUs);
      return result;
    } catch (error) {
      if (error instanceof Contradiction) throw error;
      if (error instanceof FileError) {
        this.#ledger.refused(client, id, inode, kind, error);
        if (kind === 'read' && error.code === 'EIO') await this.#ledger.around.readRefused(inode, startedUs);
      } else {
        this.#ledger.unknown(id, error);
      }
      return null;
    }
  }

  /** Some range to read: the whole file, a few bytes, some blocks. */
  range(history: FileHistory): [offset: number, length: number] {
    const { random, blockSizeBytes } = this.#ledger.around;
    const most = MAXIMUM_FILE_BLOCKS * blockSizeBytes;
    if (random.chance(0.3)) return [0, most];
    const offset = random.between(0, Math.max(1, history.likelyState.sizeBytes));
    return [offset, random.between(1, random.chance(0.5) ? 500 : 2 * blockSizeBytes)];
  }
}
