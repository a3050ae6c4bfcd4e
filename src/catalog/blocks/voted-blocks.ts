// Blocks in an nmrfs, a file each, in one folder: every one of them lies on all of its data servers, and is voted on when it is read.
import { FileError } from '../../protocol/errors.js';
import { nameFromText } from '../../protocol/http/text.js';
import { type FileName, type FileService, ROOT_INODE } from '../../protocol/services/files.js';
import { copyOf } from '../../protocol/values/pieces.js';
import { connectRemote, type Remote } from '../../protocol/wire/client.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import { CatalogError } from '../map/errors.js';
import { type BlockHash, type Blocks, hashOf } from './blocks.js';

const FOLDER = nameFromText('catalog-blocks');
const FOLDER_MODE = 0o755;
const FILE_MODE = 0o644;
const CALLER = { uid: 0, gid: 0 };
const DEADLINE_MS = 30_000;
const UNIQUE_BYTES = 4;

export class VotedBlocks implements Blocks {
  readonly #remote: Remote;
  readonly #files: FileService;
  readonly #runtime: Runtime;
  #folder: number | undefined;

  /** @param mediator HOST:PORT */
  constructor(mediator: string, secret: string | undefined, runtime: Runtime) {
    const limits = { deadlineMs: DEADLINE_MS, whileDown: 'wait' } as const;
    const options = { name: 'mediator', address: mediator, ...limits, ...(secret === undefined ? {} : { secret }) };
    this.#remote = connectRemote(options, runtime);
    this.#files = this.#remote.service<FileService>('files');
    this.#runtime = runtime;
  }

  async get(hash: BlockHash): Promise<Uint8Array | undefined> {
    const file = await this.#find(hash);
    if (file === undefined) return undefined;
    const { pieces } = await this.#files.read({ inode: file.inode, offset: 0, length: file.sizeBytes });
    const bytes = copyOf(pieces);
    if (hashOf(bytes) !== hash)
      throw new CatalogError('UNAVAILABLE', `what lies there as block ${hash} is something else`);
    return bytes;
  }

  /** The file has its name once it is whole. */
  async put(bytes: Uint8Array): Promise<BlockHash> {
    const hash = hashOf(bytes);
    if (await this.has(hash)) return hash;
    const parent = await this.#folderInode();
    const name = nameFromText(hash);
    const unfinished = nameFromText(`${hash}.${randomHex(this.#runtime.random, UNIQUE_BYTES)}`);
    const request = { parent, name: unfinished, mode: FILE_MODE, exclusive: false, forWriting: true, caller: CALLER };
    const { attributes } = await this.#files.create(request);
    const extents = bytes.length === 0 ? [] : [{ offset: 0, data: bytes }];
    const modifyTimeNs = this.#runtime.clock.nowNs();
    await this.#files.write({ inode: attributes.inode, extents, truncateTo: 0, modifyTimeNs });
    await this.#files.fsync({ inode: attributes.inode });
    await this.#files.rename({ parent, name: unfinished, newParent: parent, newName: name, mode: 'replace', held: [] });
    return hash;
  }

  async has(hash: BlockHash): Promise<boolean> {
    return (await this.#find(hash)) !== undefined;
  }

  close(): Promise<void> {
    return this.#remote.close();
  }

  async #find(hash: BlockHash) {
    const parent = await this.#folderInode();
    return orUndefined(this.#files.lookup({ parent, name: nameFromText(hash) }));
  }

  async #folderInode(): Promise<number> {
    this.#folder ??= (await orUndefined(this.#files.lookup({ parent: ROOT_INODE, name: FOLDER })))?.inode;
    this.#folder ??= await this.#makeFolder(FOLDER);
    return this.#folder;
  }

  /** Another server may make it at the same moment. */
  async #makeFolder(name: FileName): Promise<number> {
    try {
      const request = { parent: ROOT_INODE, name, mode: FOLDER_MODE, caller: CALLER };
      return (await this.#files.mkdir(request)).attributes.inode;
    } catch (error) {
      if (!(error instanceof FileError) || error.code !== 'EEXIST') throw error;
      return (await this.#files.lookup({ parent: ROOT_INODE, name })).inode;
    }
  }
}

async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof FileError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
