// Node's file system. Files and folders that are made belong to this user alone.
// Errors are Node's own, with code and path.
import * as fs from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from '../caught-errors.js';
import type { Disk } from '../disk.js';
import { NodeDiskFile } from './disk-file.js';

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const OPEN_FLAGS = {
  create: fs.constants.O_RDWR | fs.constants.O_CREAT,
  existing: fs.constants.O_RDWR,
  reading: fs.constants.O_RDONLY,
} as const;

export const nodeDisk: Disk = {
  open(path, mode) {
    const flags = OPEN_FLAGS[mode];
    return new Promise((resolve, reject) => {
      fs.open(path, flags, FILE_MODE, (error, descriptor) => {
        if (error === null) resolve(new NodeDiskFile(descriptor));
        else reject(error);
      });
    });
  },

  async list(directory) {
    return (await unlessMissing(readdir(directory))) ?? [];
  },

  async makeDirectory(path) {
    await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  },

  async remove(path) {
    await rm(path, { recursive: true, force: true });
  },

  async syncDirectory(path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },

  async readFile(path) {
    return unlessMissing(readFile(path));
  },

  async rename(from, to) {
    await rename(from, to);
  },

  async replaceFile(path, content) {
    const fresh = `${path}.new`;
    const handle = await open(fresh, 'w', FILE_MODE);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, path);
    await nodeDisk.syncDirectory(dirname(path));
  },

  async space(path) {
    const [{ bsize, bavail, blocks }, { dev }, bootId] = await Promise.all([
      statfs(path),
      stat(path),
      nodeDisk.bootId(),
    ]);
    // Each host has its own numbers for devices.
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, diskId: `${bootId}/${dev}` };
  },

  async bootId() {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  },
};

async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
