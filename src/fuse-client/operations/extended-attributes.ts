// Extended attributes, access control lists among them: which names are allowed,
// and which requests are answered without asking the service.
import { FileError } from '../../protocol/errors.js';
import type { FileService } from '../../protocol/services/files.js';
import type { KnownInodes } from '../inodes/known-inodes.js';

export class ExtendedAttributes {
  readonly #files: FileService;
  readonly #known: KnownInodes;

  constructor(files: FileService, known: KnownInodes) {
    this.#files = files;
    this.#known = known;
  }

  async get(inode: number, name: string): Promise<Uint8Array> {
    checkAttributeName(name);
    // The kernel asks for a file's capability before each write, execution and change of owner.
    if (KERNEL_NAMES.test(name) && this.#known.hasNoExtendedAttributes(inode)) {
      throw new FileError('ENODATA', 'no extended attributes at all');
    }
    return (await this.#files.getxattr({ inode, name })).value;
  }

  /** `killSetgid`: with an access control list the caller may not keep set-group-id. */
  async set(
    inode: number,
    name: string,
    value: Uint8Array,
    mode: 'set' | 'create' | 'replace',
    killSetgid = false,
  ): Promise<void> {
    checkAttributeName(name);
    const { attributes } = await this.#files.setxattr({ inode, name, value, mode, killSetgid });
    this.#known.noteChange([attributes]);
  }

  async list(inode: number): Promise<string[]> {
    return (await this.#files.listxattr({ inode })).names;
  }

  async remove(inode: number, name: string): Promise<void> {
    checkAttributeName(name);
    const { attributes } = await this.#files.removexattr({ inode, name });
    this.#known.noteChange([attributes]);
  }
}

/** For a kernel that does not obey access control lists: none is stored, since a user would rely on it. */
export function refuseLists(name: string): void {
  if (name.startsWith('system.')) throw new FileError('ENOTSUP', 'access control lists are not obeyed here');
}

/** The kernel decides who may use which of these. Access control lists are the only ones of the system's. */
const ATTRIBUTE_NAMES = /^(user\.|trusted\.|security\.|system\.posix_acl_(?=access$|default$))/;
/** The kernel itself asks for these, often. */
const KERNEL_NAMES = /^(security|system)\./;

function checkAttributeName(name: string): void {
  const [prefix] = ATTRIBUTE_NAMES.exec(name) ?? [];
  if (prefix === name) throw new FileError('EINVAL', `${name} is only the beginning of a name`);
  if (prefix !== undefined) return;
  throw new FileError('ENOTSUP', `no attributes of such a name are kept: ${name}`);
}
