// nmrfs init and nmrfs config: making the configuration file and changing it.
import type { Command } from 'commander';
import type { Config } from '../../config.js';
import { type ConfigOption, type PrintOptions, wholeNumber, withPrint } from './options.js';

/** What a running mediator changes at once; other keys take effect at the next start. */
const LIVE_KEYS: readonly string[] = ['readQuorum', 'writeQuorum', 'audit', 'onWriteQuorumLost'];

interface InitOptions extends ConfigOption {
  dataServers: number;
  metaservers: number;
  mediators: number;
  basePort: number;
}

export function addSetupCommands(program: Command): void {
  program
    .command('init')
    .description('write a commented nmrfs.yaml for a cluster on this machine')
    .argument('[dir]', 'the folder to write it to', '.')
    .option('--config <file>', 'the file to write, within that folder', 'nmrfs.yaml')
    .option('--data-servers <n>', 'how many data servers, 1 to 15', wholeNumber(1, 15), 5)
    .option('--metaservers <n>', 'how many metaservers, 1 to 9; 3 survive the loss of one', wholeNumber(1, 9), 1)
    .option('--mediators <n>', 'how many mediators, 1 to 5; of 2 one may be lost', wholeNumber(1, 5), 1)
    .option(
      '--base-port <port>',
      'the port of the mediator; the other servers use ports above it',
      wholeNumber(1, 65_000),
      7600,
    )
    .action(init);

  const config = program.command('config').description('read or change the configuration');
  withPrint(config.command('get'))
    .description('print the value of a key, or of all keys')
    .argument('[key]', 'for instance readQuorum or mount.directory')
    .action(get);
  withPrint(config.command('set'))
    .description('change a key in the file, and at once where a running mediator can')
    .argument('<key=value>', 'for instance readQuorum=4')
    .action(set);
}

async function init(folder: string, options: InitOptions): Promise<void> {
  const [{ mkdir }, { dirname, resolve }] = await Promise.all([import('node:fs/promises'), import('node:path')]);
  const { createConfigFile, loadConfig } = await import('../config-file.js');
  const { configTemplate } = await import('../config-template.js');
  const { describeMediators, describeMetadata, describeSurvival } = await import('../../explain/survival.js');
  const { print } = await import('../output.js');
  const file = resolve(folder, options.config);
  await mkdir(dirname(file), { recursive: true });
  await createConfigFile(file, configTemplate(options));
  const config = await loadConfig(file);
  print(`${file}: ${config.dataservers.length} data servers, Qr ${config.readQuorum}, Qw ${config.writeQuorum}`);
  print(describeSurvival(config.dataservers.length, config));
  const { metaservers, mediators } = config;
  for (const line of [describeMetadata(metaservers.length), describeMediators(mediators.length)]) {
    if (line !== undefined) {
      print(line);
    }
  }
}

/** These show what they are only when they are asked for by name. */
const SECRETS: readonly string[] = ['secret', 'etcd.user.password'];

function withoutSecrets({ secret, etcd, ...config }: Config): Config {
  const user = etcd?.user === undefined ? {} : { user: { ...etcd.user, password: '(set)' } };
  return {
    ...config,
    ...(etcd === undefined ? {} : { etcd: { ...etcd, ...user } }),
    ...(secret === undefined ? {} : { secret: '(set)' }),
  };
}

async function get(key: string | undefined, options: PrintOptions): Promise<void> {
  const { configValue, loadConfig } = await import('../config-file.js');
  const { print, printJson } = await import('../output.js');
  const config = await loadConfig(options.config);
  const live = await liveValues();
  if (key === undefined) {
    printJson({ ...withoutSecrets(config), ...live });
    return;
  }
  const value = live[key] ?? configValue(SECRETS.includes(key) ? config : withoutSecrets(config), key);
  if (options.json === true) {
    printJson({ key, value: value ?? null });
  } else {
    print(typeof value === 'object' ? JSON.stringify(value, null, 2) : String(value ?? ''));
  }

  async function liveValues(): Promise<Record<string, unknown>> {
    if (key !== undefined && !LIVE_KEYS.includes(key)) {
      return {};
    }
    const { ifRunning } = await import('../admin-client.js');
    const status = await ifRunning(config, (admin) => admin.status({}));
    if (status === undefined) {
      return {};
    }
    const { readQuorum, writeQuorum, audit, onWriteQuorumLost } = status;
    return { readQuorum, writeQuorum, audit, onWriteQuorumLost };
  }
}

async function set(assignment: string, options: PrintOptions): Promise<void> {
  const { usageError } = await import('../failure.js');
  const match = /^([^=]+)=(.*)$/s.exec(assignment);
  const [, key, value] = match ?? [];
  if (key === undefined || value === undefined) {
    throw usageError(`${assignment}: write it as KEY=VALUE, for instance readQuorum=4`);
  }
  const { checkConfigKey, configValue, loadConfig, setConfigKey } = await import('../config-file.js');
  const { describeSurvival } = await import('../../explain/survival.js');
  const { print, printJson } = await import('../output.js');
  const before = await loadConfig(options.config);
  await checkConfigKey(options.config, key, value);
  // The mediator first: what it refuses must not get into the file.
  const live = LIVE_KEYS.includes(key) && (await configureMediator());
  const config = await setConfigKey(options.config, key, value);
  if (options.json === true) {
    printJson({ key, value: configValue(config, key) ?? null, live });
    return;
  }
  print(`${key}: ${String(configValue(config, key))} (${live ? 'in effect now' : 'in effect from the next start'})`);
  if (key === 'readQuorum' || key === 'writeQuorum') {
    print(describeSurvival(config.dataservers.length, config));
  }

  async function configureMediator(): Promise<boolean> {
    const { ifRunning } = await import('../admin-client.js');
    const answer = await ifRunning(before, (admin) => admin.configure({ key: key ?? '', value: value ?? '' }));
    return answer !== undefined;
  }
}
