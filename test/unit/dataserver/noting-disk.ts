// A disk that tells what is read and written, before it is.
import { type Dataserver, openDataserver } from '../../../src/dataserver/dataserver.js';
import { memoryIndexFactory } from '../../../src/dataserver/index/memory-index.js';
import type { Disk } from '../../../src/runtime/disk.js';
import { type Log, silentLog } from '../../../src/runtime/log.js';
import type { MemoryDisk } from '../../support/memory-disk.js';
import { memoryRuntime, STORE } from './harness.js';

export interface DiskCall {
  kind: 'read' | 'write';
  /** It blocks. */
  isNow: boolean;
  path: string;
  bytes: number;
}

/** The disk, with `note` called before each read and write of a file's bytes: what it throws is the call's error. */
function noting(disk: Disk, note: (call: DiskCall) => void): Disk {
  return {
    ...disk,
    async open(path, mode) {
      const file = await disk.open(path, mode);
      const about = (kind: DiskCall['kind'], isNow: boolean, ...chunks: readonly Uint8Array[]) => {
        note({ kind, isNow, path, bytes: chunks.reduce((sum, { length }) => sum + length, 0) });
      };
      return {
        readNow(target, position) {
          about('read', true, target);
          return file.readNow(target, position);
        },
        async read(target, position) {
          about('read', false, target);
          return file.read(target, position);
        },
        async readDirect(target, position) {
          about('read', false, target);
          return file.readDirect(target, position);
        },
        writeNow(chunks, position) {
          about('write', true, ...chunks);
          file.writeNow(chunks, position);
        },
        async write(chunks, position) {
          about('write', false, ...chunks);
          await file.write(chunks, position);
        },
        async writeThrough(chunks, position) {
          about('write', false, ...chunks);
          await file.writeThrough(chunks, position);
        },
        async writeDirect(source, position) {
          about('write', false, source);
          await file.writeDirect(source, position);
        },
        directMemory: (sizeBytes) => file.directMemory(sizeBytes),
        isCached: (position) => file.isCached(position),
        sync: () => file.sync(),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        sizeBytes: () => file.sizeBytes(),
        close: () => file.close(),
      };
    },
  };
}

/** A server on such a disk, with an index that is lost with the process. */
export function openNoting(
  disk: MemoryDisk,
  note: (call: DiskCall) => void,
  segmentBytes: number,
  log: Log = silentLog,
): Promise<Dataserver> {
  return openDataserver(
    { name: 'data3', number: 3, directory: STORE, testHooks: true, segmentBytes, reserveBytes: 0 },
    { ...memoryRuntime(disk, log), disk: noting(disk.mount(), note) },
    memoryIndexFactory(),
    { terminate() {}, restart() {} },
  );
}
