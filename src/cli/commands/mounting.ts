// nmrfs mount and umount: a mount of a mediator that runs elsewhere.
import { type Command, Option } from 'commander';
import { type ConfigOption, withConfig } from './options.js';

interface MountOptions extends ConfigOption {
  mediator?: string;
  binding?: 'kernel' | 'fuse-native';
  option: string[];
  source?: string;
  foreground?: boolean;
  log?: string;
}

export function addMountCommands(program: Command): void {
  withConfig(program.command('mount'))
    .description('mount the file system of a running mediator; goes to the background when it is mounted')
    .argument('<dir>', 'an existing folder')
    .option('--mediator <host:port,...>', 'where the mediator is, or all of several; by default as configured')
    .addOption(
      new Option('--binding <binding>', 'how to mount; by default as configured').choices(['kernel', 'fuse-native']),
    )
    .option(
      '-o, --option <options>',
      'separated by commas: ro, rw, noatime, relatime, allow_other, no_allow_other, attribute_timeout=MS, config=FILE, noexec …',
      (text: string, before: string[]) => [...before, ...text.split(',')],
      [],
    )
    .option('--foreground', 'stay in the foreground until it is unmounted')
    .option('--log <file>', 'where its log goes; by default a file in the run directory, which is named')
    .addOption(new Option('--source <text>', 'what df shows as the device').hideHelp())
    .action(mount);
  withConfig(program.command('umount'))
    .description('unmount; what was written is flushed first')
    .argument('<dir>', 'where it is mounted')
    .action(umount);
  program
    .command('install-mount-helper')
    .description('let "mount -t fuse.nmrfs" and /etc/fstab work on this machine; needs root')
    .option('--remove', 'take it away again')
    .option('--directory <dir>', 'where mount(8) looks for its helpers', '/sbin')
    .action(installHelper);
  program
    .command('mount-helper', { hidden: true })
    .argument('[words...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(runHelper);
}

async function mount(directory: string, options: MountOptions, command: Command): Promise<void> {
  const [{ mountRemote, mountInBackground }, { readMountRequest }] = await Promise.all([
    import('../mounting/mount-remote.js'),
    import('../mounting/mount-request.js'),
  ]);
  const configIsOptional = command.getOptionValueSource('config') === 'default';
  const request = await readMountRequest(directory, { ...options, configIsOptional });
  if (options.foreground === true) {
    await mountRemote(request);
  } else {
    const log = await mountInBackground(request);
    const { print } = await import('../output.js');
    print(`${request.directory}: mounted; ${log === undefined ? 'there is no place for its log' : `log: ${log}`}`);
  }
}

async function umount(directory: string): Promise<void> {
  const { mountPoint, unmountOurs } = await import('../mounting/mounts.js');
  await unmountOurs(await mountPoint(directory));
}

async function installHelper({ remove, directory }: { remove?: boolean; directory: string }): Promise<void> {
  const { installMountHelper, removeMountHelper } = await import('../mounting/mount-helper.js');
  const { print } = await import('../output.js');
  print(await (remove === true ? removeMountHelper(directory) : installMountHelper(directory)));
}

async function runHelper(words: string[]): Promise<void> {
  const { runMountHelper } = await import('../mounting/mount-helper.js');
  await runMountHelper(words);
}
