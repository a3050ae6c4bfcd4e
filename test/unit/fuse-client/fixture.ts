// Operations over files in memory, with a clock that the test turns.
import { forgetfulKernelCache, type KernelCache } from '../../../src/fuse-client/cache/kernel-cache.js';
import { type MediatorConnection, Operations } from '../../../src/fuse-client/operations/operations.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryFiles } from '../../support/memory-files.js';
import { RecordingLog } from '../../support/recording-log.js';

export const CALLER = { uid: 1000, gid: 100 };
export const Flags = { READ: 0, WRITE: 1, BOTH: 2, TRUNCATE: 0o1000, APPEND: 0o2000, SYNC: 0o4010000 } as const;
export const uninterrupted = () => new AbortController().signal;

export interface Fixture {
  files: MemoryFiles;
  operations: Operations;
  clock: ManualClock;
  log: RecordingLog;
  runtime: Runtime;
  /** What the kernel was asked to forget, as kind:inode. */
  forgotten: string[];
  /** What the kernel does when it is asked to send what mappings have changed. */
  kernel: { writeBack(inode: number): Promise<void> };
}

export function fixture({ maximumDirtyBytes = 64 * 2 ** 20 } = {}, mediator: MediatorConnection = {}): Fixture {
  const clock = new ManualClock();
  const log = new RecordingLog();
  const runtime: Runtime = {
    clock,
    log,
    random: { fraction: () => 0.5, bytes: (count) => new Uint8Array(count) },
    get disk(): never {
      throw new Error('no disk here');
    },
    get network(): never {
      throw new Error('no network here');
    },
  };
  const forgotten: string[] = [];
  const kernel: Fixture['kernel'] = { writeBack: async () => {} };
  const cache: KernelCache = {
    ...forgetfulKernelCache,
    forgetAttributes: (inode) => void forgotten.push(`attributes:${inode}`),
    forgetContent: (inode) => void forgotten.push(`content:${inode}`),
    writeBack: (inode) => kernel.writeBack(inode),
  };
  let lastNs = 0n;
  const laterNs = () => {
    // The same clock as the mount's, with a new time for every change.
    lastNs = clock.nowNs() > lastNs ? clock.nowNs() : lastNs + 1n;
    return lastNs;
  };
  const files = new MemoryFiles(laterNs);
  const operations = new Operations(files, { attributeTimeoutMs: 1000, maximumDirtyBytes }, cache, runtime, mediator);
  return { files, operations, clock, log, runtime, forgotten, kernel };
}

/** Makes a file with this content, stored; answers its inode. */
export async function stored({ operations }: Fixture, name: string, content: string): Promise<number> {
  const { handle, attributes } = await operations.files.create(ROOT_INODE, name, 0o644, Flags.WRITE, CALLER);
  await operations.content.write(handle, 0, Buffer.from(content), {}, uninterrupted);
  await operations.files.flush(handle);
  await operations.files.release(handle);
  return attributes.inode;
}

/** What the service itself has, whatever is pending here. */
export async function contentOf({ files }: Fixture, inode: number): Promise<string> {
  const { pieces } = await files.read({ inode, offset: 0, length: 2 ** 30 });
  return Buffer.concat(pieces).toString('latin1');
}
