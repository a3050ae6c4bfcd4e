// What memory a process has, and what room files take.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { open } from 'lmdb';
import { rounded } from '../figures.js';
import type { Servers } from '../processor.js';

const SECTOR_BYTES = 512;
const MIB = 1024 * 1024;

/** Of a process, in MiB. */
export interface Footprint {
  own: number;
  /** Pages of files, which the system can take away at any time. */
  mapped: number;
}

export async function memoryOfServer(servers: Servers, name: string): Promise<Footprint> {
  const { anonymousKib, filesKib } = await servers.memory(name);
  return { own: rounded(anonymousKib / 1024), mapped: rounded(filesKib / 1024) };
}

interface Statistics {
  pageSize: number;
  root: { treeBranchPageCount: number; treeLeafPageCount: number; overflowPages: number };
}

/** MiB of the pages that hold the rows of a database. Its file is larger: it has free pages, and room that is taken ahead. */
export async function databaseMebibytes(folder: string): Promise<number> {
  const database = open({ path: folder, readOnly: true, keyEncoding: 'binary', encoding: 'binary' });
  try {
    const { pageSize, root } = database.getStats() as Statistics;
    const pages = root.treeBranchPageCount + root.treeLeafPageCount + root.overflowPages;
    return rounded((pages * pageSize) / MIB);
  } finally {
    await database.close();
  }
}

/** MiB that all files below a folder take on the disk; holes take none. */
export async function allocatedMebibytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * SECTOR_BYTES;
  return rounded(bytes / MIB);
}
