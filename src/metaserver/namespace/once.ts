// Commands that are carried out once, however often they arrive: the last
// result of each slot of each client is kept in the transaction that made it,
// so a crash loses both or none. It is part of the state like everything else,
// and changes with commands only.
import { FileError, type FileErrorCode, ServiceError } from '../../protocol/errors.js';
import type { Attributes } from '../../protocol/services/files.js';
import type { Answer, Command, CommandName, Commands, REPEATABLE_COMMANDS } from '../../protocol/services/metadata.js';
import type { Engine } from '../engine/engine.js';
import { resultKey } from '../state/keys.js';
import { decodeResult, encodeResult, type ResultRow, sequenceOf } from '../state/result-row.js';
import { attributesOf } from '../state/rows.js';
import type { Tables } from '../state/tables.js';
import { apply } from './apply.js';

type OnceName = Exclude<CommandName, (typeof REPEATABLE_COMMANDS)[number]>;
type Kept = Omit<ResultRow, 'sequence'>;

interface Memory<K extends CommandName> {
  /** What of the result is kept; null: nothing has changed, and the command may come again. */
  keep(result: Commands[K]['result'], request: Commands[K]['request']): Kept | null;
  /** The result, with attributes as they are now. */
  again(kept: Kept, tables: Tables): Commands[K]['result'];
  /** The result where the request was refused, if that is no error. */
  refused?(): Commands[K]['result'];
}

const NOTHING: Kept = { refusal: null, inode: 0, detail: 0, changed: [] };

const ofOneInode = {
  keep: ({ attributes }: { attributes: Attributes }) => ({ ...NOTHING, inode: attributes.inode }),
  again: ({ inode }: Kept, tables: Tables) => ({ attributes: expectAttributes(tables, inode) }),
};

const MEMORIES: { [K in OnceName]: Memory<K> } = {
  make: {
    keep: ({ attributes, created, changed }) => ({
      ...NOTHING,
      inode: attributes.inode,
      detail: created ? 1 : 0,
      changed: inodesOf(changed),
    }),
    again: ({ inode, detail, changed }, tables) => ({
      attributes: expectAttributes(tables, inode),
      created: detail === 1,
      changed: attributesNow(tables, changed),
    }),
  },
  makeUnnamed: ofOneInode,
  link: {
    keep: ({ attributes, changed }) => ({ ...NOTHING, inode: attributes.inode, changed: inodesOf(changed) }),
    again: ({ inode, changed }, tables) => ({
      attributes: expectAttributes(tables, inode),
      changed: attributesNow(tables, changed),
    }),
  },
  unlink: {
    keep: ({ inode, links, changed }) => ({ ...NOTHING, inode, detail: links, changed: inodesOf(changed) }),
    again: ({ inode, detail, changed }, tables) => ({ inode, links: detail, changed: attributesNow(tables, changed) }),
  },
  rmdir: {
    keep: ({ inode, changed }) => ({ ...NOTHING, inode, changed: inodesOf(changed) }),
    again: ({ inode, changed }, tables) => ({ inode, changed: attributesNow(tables, changed) }),
  },
  rename: {
    keep: ({ replaced = 0, whiteout = 0, changed }) => ({
      ...NOTHING,
      inode: replaced,
      detail: whiteout,
      changed: inodesOf(changed),
    }),
    again: ({ inode, detail, changed }, tables) => ({
      ...(inode === 0 ? {} : { replaced: inode }),
      ...(detail === 0 ? {} : { whiteout: detail }),
      changed: attributesNow(tables, changed),
    }),
  },
  setattr: ofOneInode,
  setxattr: ofOneInode,
  removexattr: ofOneInode,
  commit: {
    keep: (result, { inode, changes }) =>
      result.state !== 'committed'
        ? null
        : { ...NOTHING, inode, detail: changes.find(({ next }) => next !== null)?.next?.version ?? 0 },
    again: ({ inode, detail }, tables) => ({
      state: 'committed',
      attributes: expectAttributes(tables, inode),
      earlier: detail,
    }),
  },
  abandon: {
    keep: () => ({ ...NOTHING, refusal: 'EIO' }),
    again: () => ({ isDone: true }),
    refused: () => ({ isDone: false }),
  },
};

/**
 * Applies a command in a transaction, or answers its repetition. A refusal is kept too: else one that is late could still
 * be carried out when its sender has long been told that it was refused.
 * @param refusal why it can't be carried out just now, unless it was before
 */
export function applyOnce<K extends CommandName>(
  engine: Engine,
  tables: Tables,
  command: Extract<Command, { name: K }>,
  refusal: FileError | null,
): Answer<K> {
  const { name, id, request } = command;
  if (id === undefined || !isOnce(name)) {
    if (refusal !== null) throw refusal;
    return engine.transaction(() => apply<K>(tables, command));
  }
  const memory: Memory<K> = MEMORIES[name as K & OnceName];
  const [client, slot, sequence] = id;
  const key = resultKey(client, slot);
  const last = engine.get(key);
  if (last !== undefined && sequenceOf(last) >= sequence) return again(memory, decodeResult(last), sequence, tables);
  const keep = (outcome: Kept) => engine.put(key, encodeResult({ sequence, ...outcome }));
  try {
    if (refusal !== null) throw refusal;
    return engine.transaction(() => {
      const result = apply<K>(tables, command);
      const kept = memory.keep(result, request);
      if (kept !== null) keep(kept);
      return result;
    });
  } catch (error) {
    if (error instanceof FileError) engine.transaction(() => keep({ ...NOTHING, refusal: error.code }));
    throw error;
  }
}

function isOnce(name: CommandName): name is OnceName {
  return Object.hasOwn(MEMORIES, name);
}

function again<K extends CommandName>(memory: Memory<K>, last: ResultRow, sequence: number, tables: Tables): Answer<K> {
  if (last.sequence > sequence) {
    throw new ServiceError('REFUSED', `request ${sequence} is over: ${last.sequence} came after it in its slot`);
  }
  if (last.refusal === null) return { ...memory.again(last, tables), isRepetition: true };
  const result = memory.refused?.();
  if (result === undefined) throw new FileError(last.refusal, 'it was refused before');
  return result;
}

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
