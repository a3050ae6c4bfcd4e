// What a measuring program does on a mount. All of it is done by system calls that wait, one after the other, as most programs do.
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const MIB = 1024 * 1024;
const PAGE_BYTES = 4096;

export type Work =
  | { kind: 'create'; paths: string[]; bytes: number }
  | { kind: 'read' | 'stat' | 'unlink'; paths: string[] }
  /** The amount is the number of its entries. */
  | { kind: 'list'; folder: string; attributes: boolean }
  /** Pages, one after the other, each synced. */
  | { kind: 'sync'; path: string; count: number }
  /** Sequentially, 1 MiB at a time, with a sync at the end of a write; the amount is in megabytes. */
  | { kind: 'write large' | 'read large'; path: string; mebibytes: number }
  | { kind: 'remove'; folder: string };

/** What does not count: a folder that must be there, a descriptor. Answers what is to be measured, which answers how much it did. */
export function prepare(work: Work): () => number {
  switch (work.kind) {
    case 'create': {
      for (const folder of new Set(work.paths.map(dirname))) mkdirSync(folder, { recursive: true });
      const content = Buffer.alloc(work.bytes, 'c');
      return () => each(work.paths, (path) => writeFileSync(path, content, { flag: 'wx' }));
    }
    case 'read':
      return () => each(work.paths, readFileSync);
    case 'stat':
      return () => each(work.paths, (path) => statSync(path));
    case 'unlink':
      return () => each(work.paths, unlinkSync);
    case 'list':
      return () => list(work.folder, work.attributes);
    case 'sync':
      mkdirSync(dirname(work.path), { recursive: true });
      return () => sync(work.path, work.count);
    case 'write large':
      mkdirSync(dirname(work.path), { recursive: true });
      return () => writeLarge(work.path, work.mebibytes);
    case 'read large':
      return () => readLarge(work.path, work.mebibytes);
    case 'remove':
      return () => {
        rmSync(work.folder, { recursive: true, force: true });
        return 1;
      };
  }
}

function each(paths: readonly string[], operate: (path: string) => unknown): number {
  for (const path of paths) operate(path);
  return paths.length;
}

function list(folder: string, attributes: boolean): number {
  const names = readdirSync(folder);
  if (attributes) for (const name of names) lstatSync(join(folder, name));
  return names.length;
}

function sync(path: string, count: number): number {
  const page = Buffer.alloc(PAGE_BYTES, 's');
  const file = openSync(path, 'w');
  for (let written = 0; written < count; written++) {
    writeSync(file, page);
    fsyncSync(file);
  }
  closeSync(file);
  return count;
}

function writeLarge(path: string, mebibytes: number): number {
  const chunk = Buffer.alloc(MIB, 'w');
  const file = openSync(path, 'w');
  for (let written = 0; written < mebibytes; written++) writeSync(file, chunk);
  fsyncSync(file);
  closeSync(file);
  return (mebibytes * MIB) / 1e6;
}

function readLarge(path: string, mebibytes: number): number {
  const chunk = Buffer.alloc(MIB);
  const file = openSync(path, 'r');
  let bytes = 0;
  for (let count = readSync(file, chunk); count > 0; count = readSync(file, chunk)) bytes += count;
  closeSync(file);
  if (bytes !== mebibytes * MIB) throw new Error(`${path} has ${bytes} bytes`);
  return bytes / 1e6;
}
