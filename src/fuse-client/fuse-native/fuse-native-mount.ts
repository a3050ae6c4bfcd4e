// The fuse-native binding: libfuse 2 through the package fuse-native. Its limits
// (paths, 32-bit inodes, milliseconds, no caller, no rename flags) are its own;
// the operations behind it are those of the kernel binding.
import type { FileService } from '../../protocol/services/files.js';
import { sleep } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import { forgetfulKernelCache } from '../cache/kernel-cache.js';
import type { Mount, MountSettings } from '../mount-settings.js';
import { detach, findMount, raiseReadAhead } from '../mounting/mount-table.js';
import { type MediatorConnection, Operations } from '../operations/operations.js';
import { loadFuseNative } from './library.js';
import { nativeOperations } from './native-operations.js';
import type { NativeClass, NativeInstance } from './native-types.js';
import { PathResolver } from './path-resolver.js';
import { repairUtimens } from './utimens.js';

/** The most that libfuse 2 takes in one request. */
const MAXIMUM_WRITE_BYTES = 128 * 1024;
/** How often the kernel's mount table is read: the package does not say when a mount is gone. */
const WATCH_MS = 250;

/** Mounts; resolves when libfuse has answered the kernel's INIT. Rejects, with nothing left behind, when it can't. */
export async function mountFuseNative(
  files: FileService,
  settings: MountSettings,
  runtime: Runtime,
  mediator: MediatorConnection,
): Promise<Mount> {
  const { directory } = settings;
  const { log, clock } = runtime;
  const operations = new Operations(files, settings, forgetfulKernelCache, runtime, mediator);
  const paths = new PathResolver(operations, clock, settings.attributeTimeoutMs);
  const caller = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

  await operations.start();
  const Native = loadFuseNative();
  // The package would run fusermount, which need not be there.
  Native.unmount = (_directory, done) => void detach(directory, log).then(() => done(null), done);
  const native = new Native(directory, nativeOperations(operations, paths, caller, log), options(settings));
  repairUtimens(native, log);
  try {
    await new Promise<void>((resolve, reject) => {
      native.mount((error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    await operations.end();
    throw error;
  }
  await raiseReadAhead(directory, log);
  log.info('mount.ready', { directory, binding: 'fuse-native' });

  let unmounting: Promise<void> | undefined;
  const unmount = async () => {
    await operations.files.flushAll();
    await close(native);
  };
  const ended = watch(directory, runtime).then(async () => {
    unmounting ??= close(native);
    await unmounting;
    await operations.end();
    log.info('mount.ended', { directory });
  });
  return {
    directory,
    ended,
    kept: () => operations.kept(),
    unmount: async () => {
      unmounting ??= unmount();
      await unmounting;
      await ended;
    },
  };
}

/** The package pastes `fsname` into libfuse's options as it is, so options that it has no name for go there. */
function options(settings: MountSettings): ConstructorParameters<NativeClass>[2] {
  const timeoutSeconds = settings.attributeTimeoutMs / 1000;
  const more = [
    'big_writes',
    `max_write=${MAXIMUM_WRITE_BYTES}`,
    'use_ino',
    'atomic_o_trunc',
    `entry_timeout=${timeoutSeconds}`,
    `attr_timeout=${timeoutSeconds}`,
    ...(settings.readOnly ? ['ro'] : []),
  ];
  return {
    fsname: `nmrfs,${more.join(',')}`,
    subtype: 'nmrfs',
    allowOther: settings.allowOther,
    defaultPermissions: true,
    timeout: false,
  };
}

function close(native: NativeInstance): Promise<void> {
  return new Promise((resolve, reject) => {
    native.unmount((error) => (error ? reject(error) : resolve()));
  });
}

/** Resolves when the directory is no longer a FUSE mount. */
async function watch(directory: string, { clock }: Runtime): Promise<void> {
  while ((await findMount(directory)) !== undefined) await sleep(clock, WATCH_MS);
}
