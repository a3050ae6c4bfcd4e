// A process that mounts a MemoryFiles and serves it until it is told to stop,
// so that a test can touch the mount without serving it. Its parent switches
// faults by messages. Parameters: directory, binding, and the options as JSON.
import { mountFileSystem } from '../../src/fuse-client/mount.js';
import { nodeRuntime } from '../../src/runtime/node/runtime.js';
import { type MemoryFaults, MemoryFiles } from './memory-files.js';

export interface MountCommand {
  faults?: MemoryFaults;
  /** Answers with the calls so far. */
  calls?: true;
  unmount?: true;
}

async function main(): Promise<void> {
  const [directory, binding, options] = process.argv.slice(2);
  if (directory === undefined || (binding !== 'kernel' && binding !== 'fuse-native')) {
    throw new Error('usage: serve-memory-mount DIRECTORY kernel|fuse-native [OPTIONS]');
  }
  const runtime = nodeRuntime({ logLevel: 'warn', logName: 'memory-mount' });
  const files = new MemoryFiles(() => runtime.clock.nowNs());
  const mount = await mountFileSystem(files, { directory, binding, ...JSON.parse(options ?? '{}') }, runtime);
  process.on('message', (command: MountCommand) => {
    if (command.faults !== undefined) {
      files.faults = command.faults;
      process.send?.('faults');
    }
    if (command.calls === true) process.send?.({ calls: files.calls });
    if (command.unmount === true) void mount.unmount();
  });
  process.on('disconnect', () => void mount.unmount());
  process.on('SIGTERM', () => void mount.unmount());
  void mount.ended.then(() => process.exit(0));
  process.send?.('ready');
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
