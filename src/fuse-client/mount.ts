// The entry to the fuse-client: mounts a FileService. The process that calls this
// serves the mount, so it must never use it by a synchronous call: it would wait
// for itself.
import { resolve } from 'node:path';
import type { FileService } from '../protocol/services/files.js';
import type { Runtime } from '../runtime/runtime.js';
import { mountKernel } from './kernel/kernel-mount.js';
import type { AccessTimesMode, Mount, MountSettings } from './mount-settings.js';
import type { MediatorConnection } from './operations/operations.js';

export type { Mount } from './mount-settings.js';

export interface MountOptions extends MediatorConnection {
  /** An existing directory; relative to the working directory when not absolute. */
  directory: string;
  /** kernel: the kernel's protocol spoken directly. fuse-native: through libfuse 2, with its limits. */
  binding: 'kernel' | 'fuse-native';
  /** How long the kernel may keep names and attributes without asking again; default 1000. */
  attributeTimeoutMs?: number;
  /** Bytes that may wait to be stored before writers have to wait; default 64 MiB. */
  maximumDirtyBytes?: number;
  readOnly?: boolean;
  /** Users other than the one who mounts may use the mount, by the files' permissions; default true. */
  allowOther?: boolean;
  /** Whether reading moves a file's access time; default noatime. */
  accessTimes?: AccessTimesMode;
  /** What df and /proc/mounts show as the device; default nmrfs. Only with the kernel binding, as the following. */
  source?: string;
  /** Options that the kernel obeys for every file system, such as noexec. */
  kernelOptions?: readonly string[];
}

const ATTRIBUTE_TIMEOUT_MS = 1000;
const SOURCE = 'nmrfs';
const MAXIMUM_DIRTY_BYTES = 64 * 1024 * 1024;

/** Mounts `files` at a directory; resolves when it can be used. Rejects, with nothing left mounted, when it can't. */
export async function mountFileSystem(files: FileService, options: MountOptions, runtime: Runtime): Promise<Mount> {
  const readOnly = options.readOnly ?? false;
  const settings: MountSettings = {
    directory: resolve(options.directory),
    attributeTimeoutMs: options.attributeTimeoutMs ?? ATTRIBUTE_TIMEOUT_MS,
    maximumDirtyBytes: options.maximumDirtyBytes ?? MAXIMUM_DIRTY_BYTES,
    readOnly,
    allowOther: options.allowOther ?? true,
    accessTimes: readOnly ? 'noatime' : (options.accessTimes ?? 'noatime'),
    source: options.source ?? SOURCE,
    kernelOptions: options.kernelOptions ?? [],
  };
  const { sessions, lost } = options;
  const connection = lost === undefined ? {} : { lost };
  switch (options.binding) {
    case 'kernel':
      return mountKernel(files, settings, runtime, { ...connection, ...(sessions === undefined ? {} : { sessions }) });
    case 'fuse-native': {
      // Loaded only when asked for: it brings a native library into the process.
      const { mountFuseNative } = await import('./fuse-native/fuse-native-mount.js');
      return mountFuseNative(files, settings, runtime, connection);
    }
  }
}
