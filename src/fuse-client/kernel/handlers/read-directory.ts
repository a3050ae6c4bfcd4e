// READDIR and READDIRPLUS.
import { FileError } from '../../../protocol/errors.js';
import { encodeDirectory } from '../codec/attribute-replies.js';
import { MAXIMUM_WRITE_BYTES } from '../codec/layout.js';
import type { ReplyBody } from '../codec/replies.js';
import type { HandlerDependencies } from './handler-types.js';

/** What the smallest entry of a listing takes, which bounds how many fit a reply. */
const SMALLEST_ENTRY_BYTES = { readdirplus: 152 + 8, readdir: 24 + 8 };

export async function readDirectory(
  directory: number,
  request: { kind: 'readdir' | 'readdirplus'; handle: number; offset: number; size: number },
  { operations, inodes, places, listed, clock, attributeTimeoutMs }: HandlerDependencies,
): Promise<ReplyBody> {
  const { renames } = places;
  const plus = request.kind === 'readdirplus';
  const room = Math.min(request.size, MAXIMUM_WRITE_BYTES);
  const most = Math.ceil(room / SMALLEST_ENTRY_BYTES[request.kind]);
  if (request.offset === 0) listed.note(directory, clock.monotonicMs(), operations.heardChanges);
  const found = await operations.directories.read(request.handle, request.offset, plus, most);
  // Copies: an entry that does not fit is answered again, and what is pending must not be taken for what is stored.
  const entries = found.map(({ name, inode, kind, cookie, attributes }) =>
    attributes === undefined
      ? { name, inode, kind, cookie }
      : { name, inode, kind, cookie, attributes: operations.attributes.current(attributes) },
  );
  const { body, lookedUp } = encodeDirectory(entries, room, plus ? attributeTimeoutMs : undefined);
  if (entries.length > 0 && body[0]?.length === 0) throw new FileError('EINVAL', 'no entry fits the reply');
  for (const { name, attributes } of lookedUp) {
    inodes.countLookup(attributes);
    places.noteEntry(directory, name, attributes, renames);
  }
  return body;
}
