// Names: looking them up, making, linking, renaming and removing what they stand for.
import { FileError } from '../../protocol/errors.js';
import type { Attributes, Caller, FileKind, FileName, FileService, RenameMode } from '../../protocol/services/files.js';
import type { KnownInodes } from '../inodes/known-inodes.js';
import { type AskedMode, modeAndUmask } from '../posix/asked-mode.js';
import { checkName } from '../posix/limits.js';
import type { NamePlace } from '../posix/name-place.js';
import type { FileAttributes } from './file-attributes.js';
import { HeldFiles } from './held-files.js';

export class Names {
  readonly #files: FileService;
  readonly #known: KnownInodes;
  readonly #attributes: FileAttributes;
  readonly #held: HeldFiles;

  constructor(files: FileService, known: KnownInodes, attributes: FileAttributes) {
    this.#files = files;
    this.#known = known;
    this.#attributes = attributes;
    this.#held = new HeldFiles(files, known);
  }

  async lookup(parent: number, name: FileName): Promise<Attributes> {
    checkName(name);
    // By a file handle: open_by_handle_at(2), or the kernel's NFS server. The number may be of any kind of file.
    if (name === '.') return this.#byHandle(parent);
    return this.#known.current(await this.#files.lookup({ parent, name }));
  }

  /** Must find no removed file, though some mount may still hold it: what this kernel holds, it does not look up. */
  async #byHandle(inode: number): Promise<Attributes> {
    const attributes = await this.#attributes.get(inode);
    if (attributes.links === 0) throw new FileError('ENOENT', `inode ${inode} is removed`);
    return attributes;
  }

  async readlink(inode: number): Promise<string> {
    return (await this.#files.readlink({ inode })).target;
  }

  async symlink(parent: number, name: FileName, target: string, caller: Caller): Promise<Attributes> {
    checkName(name);
    return (await this.#known.noteOutcome(this.#files.symlink({ parent, name, target, caller }))).attributes;
  }

  async mknod(
    parent: number,
    name: FileName,
    node: { kind: FileKind; device: number } & AskedMode,
    caller: Caller,
  ): Promise<Attributes> {
    checkName(name);
    return (await this.#known.noteOutcome(this.#files.mknod({ parent, name, ...node, caller }))).attributes;
  }

  async mkdir(parent: number, name: FileName, asked: number | AskedMode, caller: Caller): Promise<Attributes> {
    checkName(name);
    const request = { parent, name, ...modeAndUmask(asked), caller };
    return (await this.#known.noteOutcome(this.#files.mkdir(request))).attributes;
  }

  async link(inode: number, parent: number, name: FileName): Promise<Attributes> {
    checkName(name);
    const { attributes } = await this.#known.noteOutcome(this.#files.link({ inode, parent, name }));
    return this.#known.current(attributes);
  }

  async unlink(parent: number, name: FileName): Promise<void> {
    const held = await this.#held.under(parent, name);
    const { inode, links } = await this.#known.noteOutcome(this.#files.unlink({ parent, name, held }));
    if (links > 0) return;
    if (held.includes(inode)) await this.#held.orphan(inode);
    else this.#known.forget(inode);
  }

  async rmdir(parent: number, name: FileName): Promise<void> {
    const { inode } = await this.#known.noteOutcome(this.#files.rmdir({ parent, name }));
    this.#known.forget(inode);
  }

  /** `whiteout`: the owner of the character device 0:0 that takes the place of the name. */
  async rename(from: NamePlace, to: NamePlace, mode: RenameMode, whiteout?: Caller): Promise<void> {
    checkName(to.name);
    const held = mode === 'replace' ? await this.#held.under(to.parent, to.name) : [];
    const { parent, name } = from;
    const request = { parent, name, newParent: to.parent, newName: to.name, mode, held };
    const asked = whiteout === undefined ? request : { ...request, whiteout };
    const { replaced } = await this.#known.noteOutcome(this.#files.rename(asked));
    if (replaced === undefined) return;
    this.#known.forget(replaced);
    if (!held.includes(replaced)) return;
    // The answer does not say whether other names are left.
    const { links } = await this.#files.getattr({ inode: replaced });
    if (links === 0) await this.#held.orphan(replaced);
  }
}
