// Which names a command adds and removes, by its request and its answer. Pure
// functions.
import type { FileName } from '../../protocol/services/files.js';
import type { CommandName, Commands } from '../../protocol/services/metadata.js';

export interface Place {
  parent: number;
  name: FileName;
}

/** The name that a command removes, and the one that it adds. */
export function placesOf(command: CommandName, request: object): { removed?: Place; added?: Place } {
  switch (command) {
    case 'make':
    case 'link':
      return { added: request as Commands['link']['request'] };
    case 'unlink':
    case 'rmdir':
      return { removed: request as Commands['unlink']['request'] };
    case 'rename': {
      const { parent, name, newParent, newName } = request as Commands['rename']['request'];
      return { removed: { parent, name }, added: { parent: newParent, name: newName } };
    }
    default:
      return {};
  }
}

/** The inode of the added name after the command; undefined: the answer does not say. A rename only moves a name. */
export function inodeAdded(command: CommandName, request: object, result: object): number | undefined {
  if (command === 'make') return (result as Commands['make']['result']).attributes.inode;
  if (command === 'link') return (request as Commands['link']['request']).inode;
  return undefined;
}

/** Whether the removed name is gone after the command. After a rename it need not be: exchange, whiteout. */
export function isRemoved(command: CommandName): boolean {
  return command === 'unlink' || command === 'rmdir';
}

/** The inode of an empty directory: the command has made it, and nothing has changed it since. */
export function directoryMade(command: CommandName, request: object, result: object): number | undefined {
  if (command !== 'make' || (request as Commands['make']['request']).kind !== 'directory') return undefined;
  const { created, attributes } = result as Commands['make']['result'];
  return created && attributes.revision === 1 ? attributes.inode : undefined;
}
