// nmrfs up, down and serve: running servers.
import { Argument, type Command, Option } from 'commander';
import type { Config } from '../../config.js';
import type { ServerKind } from '../open-server.js';
import { type ConfigOption, withConfig } from './options.js';

interface UpOptions extends ConfigOption {
  mount?: string;
  binding?: 'kernel' | 'fuse-native';
  detach?: boolean;
}

interface ServeOptions extends ConfigOption {
  id?: string;
  blank?: boolean;
  mount?: string;
  binding?: 'kernel' | 'fuse-native';
}

export function addRunCommands(program: Command): void {
  const binding = () =>
    new Option('--binding <binding>', 'how to mount; by default as configured').choices(['kernel', 'fuse-native']);
  withConfig(program.command('up'))
    .description('start all servers of the configuration on this machine, supervised, and mount the file system')
    .option('--mount <dir>', 'where to mount; by default as configured')
    .addOption(binding())
    .option('--detach', 'return when it is ready; "nmrfs down" stops it')
    .action(up);
  withConfig(program.command('down'))
    .description('unmount, and stop all servers in order; nothing is lost')
    .action(down);
  withConfig(program.command('serve'))
    .description('run one server of the configuration in the foreground; its log goes to standard output')
    .addArgument(new Argument('<kind>', 'which kind of server').choices(['mediator', 'meta', 'data', 'mount']))
    .option('--id <server>', "the server's name, or its number among those of its kind")
    .option('--blank', 'data, or one of several meta: wipe the store first')
    .option('--mount <dir>', 'mediator, where there is one: mount the file system here too; mount: where to')
    .addOption(binding())
    .action(serve);
}

async function up(options: UpOptions): Promise<void> {
  const { loadConfig } = await import('../config-file.js');
  const config = await loadConfig(options.config);
  if (options.detach === true) {
    const { detach } = await import('../supervisor/detached.js');
    await detach(config, options);
    return;
  }
  const { runUp } = await import('../supervisor/foreground.js');
  await runUp(config, options);
}

async function down(options: ConfigOption): Promise<void> {
  const { loadConfig } = await import('../config-file.js');
  const { stopRunning } = await import('../supervisor/foreground.js');
  const { print } = await import('../output.js');
  const config = await loadConfig(options.config);
  print((await stopRunning(config)) ? 'stopped' : 'nmrfs is not running');
}

async function serve(kind: ServerKind, options: ServeOptions): Promise<void> {
  const { loadConfig } = await import('../config-file.js');
  const { serveHere } = await import('../serve.js');
  const config = await loadConfig(options.config);
  const request = { kind, id: options.id, config, blank: options.blank === true };
  if (kind === 'data' && process.send === undefined) {
    const { serveRestartable } = await import('../serve-restartable.js');
    await serveRestartable(request);
    return;
  }
  await serveHere(
    options.mount === undefined ? request : { ...request, mount: await mountOf(config, options.mount, options) },
  );
}

async function mountOf(config: Config, directory: string, { binding }: ServeOptions) {
  const { mountPoint, requireFolder } = await import('../mounting/mounts.js');
  const { chooseBinding } = await import('../mounting/binding.js');
  const point = await mountPoint(directory);
  await requireFolder(point);
  return { directory: point, binding: chooseBinding(binding ?? config.mount.binding) };
}
