// How the result of each command is kept in the dedupe table: the inodes that
// it speaks of, not their attributes. A retry is answered with these as they
// are now.
import { FileError, type FileErrorCode } from '../protocol/errors.js';
import type { Attributes } from '../protocol/services/files.js';
import type { CommandName, Commands, REPEATABLE_COMMANDS } from '../protocol/services/metadata.js';
import { attributesOf } from './state/inode-row.js';
import type { ResultRow } from './state/result-row.js';
import type { Tables } from './state/tables.js';

/** Commands that a retry must not apply again. */
export type OnceName = Exclude<CommandName, (typeof REPEATABLE_COMMANDS)[number]>;
export type ResultFields = Omit<ResultRow, 'sequence'>;

/** Makes the row of the dedupe table that a command's result leaves, and the result from the row. */
export interface ResultCodec<K extends CommandName> {
  /** null: nothing was changed, so that a retry may apply the command anew. */
  encode(result: Commands[K]['result'], request: Commands[K]['request']): ResultFields | null;
  /** The answer to a retry: the result, with attributes as they are now. */
  decode(row: ResultFields, tables: Tables): Commands[K]['result'];
  /** The answer to a retry of a command that was refused; absent where that is an error. */
  decodeRefusal?(): Commands[K]['result'];
}

export const EMPTY_RESULT: ResultFields = { refusal: null, inode: 0, detail: 0, changed: [] };

const ofOneInode = {
  encode: ({ attributes }: { attributes: Attributes }) => ({ ...EMPTY_RESULT, inode: attributes.inode }),
  decode: ({ inode }: ResultFields, tables: Tables) => ({ attributes: expectAttributes(tables, inode) }),
};

export const RESULT_CODECS: { [K in OnceName]: ResultCodec<K> } = {
  make: {
    encode: ({ attributes, created, changed }) => ({
      ...EMPTY_RESULT,
      inode: attributes.inode,
      detail: created ? 1 : 0,
      changed: inodesOf(changed),
    }),
    decode: ({ inode, detail, changed }, tables) => ({
      attributes: expectAttributes(tables, inode),
      created: detail === 1,
      changed: attributesNow(tables, changed),
    }),
  },
  makeUnnamed: ofOneInode,
  link: {
    encode: ({ attributes, changed }) => ({ ...EMPTY_RESULT, inode: attributes.inode, changed: inodesOf(changed) }),
    decode: ({ inode, changed }, tables) => ({
      attributes: expectAttributes(tables, inode),
      changed: attributesNow(tables, changed),
    }),
  },
  unlink: {
    encode: ({ inode, links, changed }) => ({ ...EMPTY_RESULT, inode, detail: links, changed: inodesOf(changed) }),
    decode: ({ inode, detail, changed }, tables) => ({ inode, links: detail, changed: attributesNow(tables, changed) }),
  },
  rmdir: {
    encode: ({ inode, changed }) => ({ ...EMPTY_RESULT, inode, changed: inodesOf(changed) }),
    decode: ({ inode, changed }, tables) => ({ inode, changed: attributesNow(tables, changed) }),
  },
  rename: {
    encode: ({ replaced = 0, whiteout = 0, changed }) => ({
      ...EMPTY_RESULT,
      inode: replaced,
      detail: whiteout,
      changed: inodesOf(changed),
    }),
    decode: ({ inode, detail, changed }, tables) => ({
      ...(inode === 0 ? {} : { replaced: inode }),
      ...(detail === 0 ? {} : { whiteout: detail }),
      changed: attributesNow(tables, changed),
    }),
  },
  setattr: ofOneInode,
  setxattr: ofOneInode,
  removexattr: ofOneInode,
  commit: {
    encode: (result, { inode, changes }) =>
      result.state !== 'committed'
        ? null
        : { ...EMPTY_RESULT, inode, detail: changes.find(({ next }) => next !== null)?.next?.version ?? 0 },
    decode: ({ inode, detail }, tables) => ({
      state: 'committed',
      attributes: expectAttributes(tables, inode),
      earlier: detail,
    }),
  },
  // Abandoning a command writes a refusal in its place, unless its result is there already.
  abandon: {
    encode: () => ({ ...EMPTY_RESULT, refusal: 'EIO' }),
    decode: () => ({ isDone: true }),
    decodeRefusal: () => ({ isDone: false }),
  },
};

function expectAttributes(tables: Tables, inode: number): Attributes {
  const [attributes] = attributesNow(tables, [inode]);
  if (attributes === undefined) throw new FileError(GONE, `inode ${inode} is gone since this was carried out`);
  return attributes;
}

/** Tells a program that walks a path to walk it anew. */
const GONE: FileErrorCode = 'ESTALE';

function attributesNow(tables: Tables, inodes: readonly number[]): Attributes[] {
  return inodes.flatMap((inode) => {
    const row = tables.inode(inode);
    return row === undefined || row.state === 'purging' ? [] : [attributesOf(row)];
  });
}

function inodesOf(changed: readonly Attributes[]): number[] {
  return changed.map(({ inode }) => inode);
}
