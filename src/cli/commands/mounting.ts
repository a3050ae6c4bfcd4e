// nmrfs mount and umount: a mount of a mediator that runs elsewhere.
import { type Command, Option } from 'commander';
import { type ConfigOption, withConfig } from './options.js';

interface MountOptions extends ConfigOption {
  mediator?: string;
  binding?: 'kernel' | 'fuse-native';
  option: string[];
  foreground?: boolean;
}

export function addMountCommands(program: Command): void {
  withConfig(program.command('mount'))
    .description('mount the file system of a running mediator; goes to the background when it is mounted')
    .argument('<dir>', 'an existing folder')
    .option('--mediator <host:port>', 'where the mediator is; by default as configured')
    .addOption(
      new Option('--binding <binding>', 'how to mount; by default as configured').choices(['kernel', 'fuse-native']),
    )
    .option(
      '-o, --option <options>',
      'separated by commas: ro, rw, allow_other, no_allow_other, attribute_timeout=MS',
      (text: string, before: string[]) => [...before, ...text.split(',')],
      [],
    )
    .option('--foreground', 'stay in the foreground until it is unmounted')
    .action(mount);
  withConfig(program.command('umount'))
    .description('unmount; what was written is flushed first')
    .argument('<dir>', 'where it is mounted')
    .action(umount);
}

async function mount(directory: string, options: MountOptions): Promise<void> {
  const { mountRemote, mountInBackground, readMountRequest } = await import('../mount-remote.js');
  const request = await readMountRequest(directory, options);
  if (options.foreground === true) {
    await mountRemote(request);
  } else {
    await mountInBackground(request);
  }
}

async function umount(directory: string): Promise<void> {
  const { resolve } = await import('node:path');
  const { findMount, isOurs, unmount } = await import('../mounts.js');
  const { CommandFailure } = await import('../failure.js');
  const absolute = resolve(directory);
  const entry = await findMount(absolute);
  if (entry === undefined || !isOurs(entry)) {
    throw new CommandFailure(`${absolute}: no nmrfs is mounted there`);
  }
  await unmount(absolute, false);
}
