// The kernel binding: the kernel's FUSE protocol spoken directly over /dev/fuse.
import type { FileService } from '../../protocol/services/files.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { KernelCache } from '../cache/kernel-cache.js';
import type { Mount, MountSettings } from '../mount-settings.js';
import { attach, detach, findMount, raiseReadAhead, unmount } from '../mounting/mount-table.js';
import { type MediatorConnection, Operations } from '../operations/operations.js';
import { EPOCH_PROTOCOL_MINOR } from './codec/layout.js';
import { encodeAllNamesInvalidation, encodeInvalidation, encodeNameInvalidation } from './codec/notifications.js';
import { FuseDevice } from './device/device.js';
import { isBeingKilled } from './killed.js';
import { MovedDirectories } from './known/moved-directories.js';
import { KernelSession } from './session.js';

/** The kernel sends INIT at once; a mount that gets none within this time never will. */
const INIT_TIMEOUT_MS = 10_000;

/** Mounts; resolves when the kernel's INIT was answered. Rejects, with nothing left behind, when it can't. */
export async function mountKernel(
  files: FileService,
  settings: MountSettings,
  runtime: Runtime,
  mediator: MediatorConnection,
): Promise<Mount> {
  const { directory } = settings;
  const { log } = runtime;
  const device = new FuseDevice(await attach(directory, settings), log);
  let namesForgotten: Promise<void> = Promise.resolve();
  const cache: KernelCache = {
    forgetAttributes: (inode) => void device.send(encodeInvalidation(inode, 'attributes')),
    forgetContent: (inode) => void device.notify(encodeInvalidation(inode, 'content')),
    // The kernel writes dirty pages back before it forgets them.
    writeBack: (inode) => device.notify(encodeInvalidation(inode, 'content')),
    forgetName: (parent, name) => {
      namesForgotten = device.notifyInTurn(encodeNameInvalidation(parent, name));
    },
    followRename: (from, to) => moved.follow(from, to, namesForgotten),
    forgetEverything: () => {
      // Older kernels keep names until their timeout.
      if (session.protocolMinor >= EPOCH_PROTOCOL_MINOR) void device.notify(encodeAllNamesInvalidation());
      for (const inode of session.knownInodes) void device.notify(encodeInvalidation(inode, 'content'));
    },
    forgotten: () => device.notified(),
  };
  const operations = new Operations(files, settings, cache, runtime, mediator);
  const ready = deferred();
  const session: KernelSession = new KernelSession({
    operations,
    runtime,
    attributeTimeoutMs: settings.attributeTimeoutMs,
    send: (chunks) => device.send(chunks),
    forgetAttributes: cache.forgetAttributes,
    isBeingKilled,
    ready: () => ready.resolve(),
  });

  const moved = new MovedDirectories(directory, session.places, log);
  const gone = deferred();
  void gone.promise.then(() => ready.reject(new Error('unmounted before it was ready')));
  let timer: Timer | undefined;
  try {
    await operations.start();
    // Not before: the mediator may take longer than the kernel.
    timer = runtime.clock.after(INIT_TIMEOUT_MS, () => ready.reject(new Error('the kernel did not greet')));
    device.start({ request: (bytes) => session.receive(bytes), ended: () => gone.resolve() });
    await ready.promise;
  } catch (error) {
    // Before the unmount, which might send the mount a request that nobody answers.
    await device.close();
    await detach(directory, log);
    await operations.end();
    throw error;
  } finally {
    timer?.cancel();
  }
  await raiseReadAhead(directory, log);
  log.info('mount.ready', { directory, binding: 'kernel' });

  const deviceNumber = await findMount(directory);
  let detaching: Promise<void> | undefined;
  const ended = gone.promise.then(async () => {
    // The caller may end this process after this, so the mount's name must be gone by then. It goes after the connection when
    // the mount is in use; after umount -f it stays, and is taken away here.
    await detaching?.catch(() => {});
    if (deviceNumber !== undefined && (await findMount(directory)) === deviceNumber) {
      await unmount(directory, 'lazily').catch((error: unknown) => log.error('mount.left', errorFields(error)));
    }
    await operations.end();
    log.info('mount.ended', { directory });
  });
  let unmounting: Promise<void> | undefined;
  const storeAndUnmount = async () => {
    await operations.files.flushAll();
    moved.end();
    detaching = detach(directory, log);
    await detaching;
    await device.close();
    await ended;
  };
  return {
    directory,
    ended,
    kept: () => ({ ...operations.kept(), ...session.kept() }),
    unmount: () => {
      unmounting ??= storeAndUnmount();
      return unmounting;
    },
  };
}

/** A promise that its caller settles. */
function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((resolveIt, rejectIt) => {
    resolve = resolveIt;
    reject = rejectIt;
  });
  return { promise, resolve, reject };
}
