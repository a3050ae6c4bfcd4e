// Resolves paths, in UTF-8 text as people and XML-RPC write them, to inodes.
import { FileError } from '../../protocol/errors.js';
import { nameFromText, namingPath } from '../../protocol/http/text.js';
import { type Attributes, type FileName, ROOT_INODE } from '../../protocol/services/files.js';
import type { MetadataService } from '../../protocol/services/metadata.js';

/** Splits an absolute path into names; EINVAL when it is not absolute. */
export function splitPath(path: string): FileName[] {
  if (!path.startsWith('/')) throw new FileError('EINVAL', `${path}: a path starts with / (the mount point's root)`);
  return path
    .split('/')
    .filter((part) => part !== '')
    .map(nameFromText);
}

/** The attributes of the file at a path; symbolic links are not followed. Fails with ENOENT and ENOTDIR. */
export async function resolvePath(metadata: MetadataService, path: string): Promise<Attributes> {
  return resolveNames(metadata, splitPath(path), path);
}

/** The same for a path that is split already. @param path what error messages show */
export async function resolveNames(
  metadata: MetadataService,
  names: readonly FileName[],
  path: string,
): Promise<Attributes> {
  let attributes = await metadata.query({ name: 'attributes', request: { inode: ROOT_INODE } });
  try {
    for (const name of names) {
      attributes = await metadata.query({ name: 'lookup', request: { parent: attributes.inode, name } });
    }
  } catch (error) {
    throw namingPath(error, path);
  }
  return attributes;
}
