// The identity of a store, in store.json in its folder; and index.json, which
// says whether the index beside it can be trusted.
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { randomHex } from '../runtime/random.js';
import type { Runtime } from '../runtime/runtime.js';
import { isNoRoom } from './log/space.js';

const FORMAT = 1;
const STORE_ID_BYTES = 16;

export interface Identity {
  /** Made at random when the store was initialised. */
  storeId: string;
  clusterId: string | null;
  /** The newest of a mediator that has been here; 0 before the first. */
  epoch: number;
}

type StorePath = 'identity' | 'segments' | 'unsafe' | 'index' | 'indexState';

/** Where everything of a store is. */
export function storePaths(directory: string): Record<StorePath, string> {
  return {
    identity: join(directory, 'store.json'),
    segments: join(directory, 'segments'),
    unsafe: join(directory, 'unsafe.json'),
    index: join(directory, 'index'),
    indexState: join(directory, 'index.json'),
  };
}

/** Reads the identity, making one for an empty folder. Fails when there are segments without an identity. */
export async function openIdentity(directory: string, { disk, random }: Runtime): Promise<Identity> {
  const paths = storePaths(directory);
  const content = await disk.readFile(paths.identity);
  if (content !== undefined) return parseIdentity(content, paths.identity);
  if ((await disk.list(paths.segments)).length > 0) {
    throw new Error(
      `${paths.identity} is missing although there are segments: put it back, or start with --blank to be rebuilt`,
    );
  }
  const identity = { storeId: randomHex(random, STORE_ID_BYTES), clusterId: null, epoch: 0 };
  await disk.makeDirectory(directory);
  await saveIdentity(directory, identity, disk);
  return identity;
}

export async function saveIdentity(directory: string, identity: Identity, disk: Runtime['disk']): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, ...identity })}\n`;
  await disk.replaceFile(storePaths(directory).identity, Buffer.from(text));
}

/** Removes a store, identity last, so that a crash midway leaves nothing that looks whole. */
export async function wipeStore(directory: string, { disk }: Runtime): Promise<void> {
  const paths = storePaths(directory);
  for (const path of [paths.index, paths.indexState, paths.segments, paths.unsafe, paths.identity])
    await disk.remove(path);
}

/**
 * Whether the index belongs to this store, was written since the machine was booted (it is never synced), and did not crash
 * the process that opened it last.
 */
export async function isIndexTrusted(directory: string, { storeId }: Identity, { disk }: Runtime): Promise<boolean> {
  const content = await disk.readFile(storePaths(directory).indexState);
  return content !== undefined && Buffer.from(content).equals(indexState(storeId, await disk.bootId(), 'ready'));
}

/**
 * opening: found at a start, it means that opening the index crashed the process. ready: the index can be used in this boot.
 * On a full disk the file is removed, which also makes the index untrusted.
 */
export async function setIndexState(
  directory: string,
  { storeId }: Identity,
  { disk }: Runtime,
  state: 'opening' | 'ready',
): Promise<void> {
  const path = storePaths(directory).indexState;
  try {
    await disk.replaceFile(path, indexState(storeId, await disk.bootId(), state));
  } catch (error) {
    if (!isNoRoom(error)) throw error;
    // The store must open for reads even so. Removing the file makes room for the next one.
    await disk.remove(path);
  }
}

function indexState(storeId: string, bootId: string, state: 'opening' | 'ready'): Buffer {
  return Buffer.from(`${JSON.stringify({ format: FORMAT, storeId, bootId, state })}\n`);
}

function parseIdentity(content: Uint8Array, path: string): Identity {
  let parsed: { format?: unknown; storeId?: unknown; clusterId?: unknown; epoch?: unknown } | null;
  try {
    parsed = JSON.parse(Buffer.from(content).toString());
  } catch (error) {
    throw new Error(`${path} is damaged: restore it, or start with --blank to be rebuilt`, { cause: error });
  }
  if (parsed?.format !== FORMAT) {
    throw new Error(`${path}: this version reads stores of format ${FORMAT}, not ${String(parsed?.format)}`);
  }
  // A store of an earlier version of nmrfs has no epoch.
  const { storeId, clusterId, epoch = 0 } = parsed;
  const isFit = typeof storeId === 'string' && storeId !== '' && typeof epoch === 'number';
  if (!isFit || !(clusterId === null || typeof clusterId === 'string')) {
    throw new Error(`${path} is damaged: restore it, or start with --blank to be rebuilt`);
  }
  return { storeId, clusterId, epoch };
}
