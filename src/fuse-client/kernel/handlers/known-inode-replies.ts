// Replies by which the kernel gets to know inodes or their attributes. What it
// was told is noted with each.
import type { Attributes, FileName } from '../../../protocol/services/files.js';
import { encodeAttributes, encodeEntry } from '../codec/attribute-replies.js';
import type { ReplyBody } from '../codec/replies.js';
import type { HandlerDependencies } from './handler-types.js';

/** The reply of a name that may be a directory. `renames`: how many there had been when the service was asked. */
export function namedEntry(
  parent: number,
  name: FileName,
  renames: number,
  attributes: Attributes,
  dependencies: HandlerDependencies,
): ReplyBody {
  dependencies.places.noteEntry(parent, name, attributes, renames);
  return entry(attributes, dependencies);
}

export function entry(attributes: Attributes, { inodes, attributeTimeoutMs }: HandlerDependencies): ReplyBody {
  inodes.countLookup(attributes);
  return [encodeEntry(attributes, attributeTimeoutMs)];
}

export function attributes(found: Attributes, { inodes, attributeTimeoutMs }: HandlerDependencies): ReplyBody {
  inodes.update(found);
  return encodeAttributes(found, attributeTimeoutMs);
}
