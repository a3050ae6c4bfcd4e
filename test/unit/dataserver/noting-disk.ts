// A disk that notes what is read and written.
import type { Disk } from '../../../src/runtime/disk.js';

export interface DiskCall {
  kind: 'read' | 'write';
  path: string;
  bytes: number;
}

/** The disk, with each read and write of a file's bytes added to `calls`. */
export function noting(disk: Disk, calls: DiskCall[]): Disk {
  return {
    ...disk,
    async open(path, mode) {
      const file = await disk.open(path, mode);
      const note = (kind: DiskCall['kind'], ...chunks: readonly Uint8Array[]) => {
        calls.push({ kind, path, bytes: chunks.reduce((sum, { length }) => sum + length, 0) });
      };
      return {
        readNow(target, position) {
          note('read', target);
          return file.readNow(target, position);
        },
        read(target, position) {
          note('read', target);
          return file.read(target, position);
        },
        readDirect(target, position) {
          note('read', target);
          return file.readDirect(target, position);
        },
        writeNow(chunks, position) {
          note('write', ...chunks);
          file.writeNow(chunks, position);
        },
        write(chunks, position) {
          note('write', ...chunks);
          return file.write(chunks, position);
        },
        writeThrough(chunks, position) {
          note('write', ...chunks);
          return file.writeThrough(chunks, position);
        },
        writeDirect(source, position) {
          note('write', source);
          return file.writeDirect(source, position);
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
