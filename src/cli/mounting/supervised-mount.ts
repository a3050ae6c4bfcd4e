// The mount of `nmrfs up` where there are several mediators: a process of its own,
// which outlives each of them.
import type { Config } from '../../config.js';
import type { FileService } from '../../protocol/services/files.js';
import type { SessionService } from '../../protocol/services/sessions.js';
import { RepeatedCalls } from '../../protocol/wire/repeated-calls.js';
import { errorFields, messageOf } from '../../runtime/caught-errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import { CommandFailure } from '../failure.js';
import { configuredMount, type MountPlace } from './configured-mount.js';
import { followMediators } from './mediators.js';
import { clearDeadMount } from './mounts.js';

/** Resolves when it is mounted. */
export async function openMount(
  config: Config,
  place: MountPlace,
  begin: () => Promise<void>,
  runtime: Runtime,
): Promise<{ close(): Promise<void> }> {
  const { directory } = place;
  const { mountFileSystem } = await import('../../fuse-client/mount.js');
  await begin();
  const mediators = followMediators(config, config.mediators, runtime);
  const { remote, deadlineMs } = mediators;
  try {
    if (await clearDeadMount(directory)) runtime.log.warn('mount.dead_cleared', { directory });
    const options = {
      ...configuredMount(config, place),
      sessions: remote.service<SessionService>('sessions'),
      lost: new RepeatedCalls(remote, deadlineMs, runtime.clock),
    };
    const mount = await mountFileSystem(remote.service<FileService>('files'), options, runtime).catch(
      (error: unknown) => {
        throw new CommandFailure(`${directory}: ${messageOf(error)}`);
      },
    );
    mount.ended.catch((error: unknown) => runtime.log.error('mount.broken', { directory, ...errorFields(error) }));
    return {
      async close() {
        await mount.unmount();
        await mediators.close();
      },
    };
  } catch (error) {
    await mediators.close();
    throw error;
  }
}
