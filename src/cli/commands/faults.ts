// nmrfs corrupt, terminate and restart: the test hooks.
import type { Command } from 'commander';
import type { AdminService } from '../../protocol/services/admin.js';
import { type ConfigOption, nameList, withConfig } from './options.js';

const TERMINATE_DEADLINE_MS = 10_000;
const TERMINATE_POLL_MS = 10;

interface CorruptOptions extends ConfigOption {
  on: string[];
  text?: string;
}

interface RestartOptions extends ConfigOption {
  blank?: boolean;
}

export function addFaultCommands(program: Command): void {
  withConfig(program.command('corrupt'))
    .description('test hook: replace every block of a file by wrong bytes on some data servers')
    .argument('<path>', 'a file: its path within the file system, or below the mount point')
    .requiredOption(
      '--on <servers>',
      'data servers, separated by commas: data1,data2; one named twice counts once',
      nameList,
    )
    .option('--text <text>', 'the wrong bytes; by default each server gets its own')
    .action(corrupt);
  withConfig(program.command('terminate'))
    .description('test hook: end the process of a data server or a metaserver; it is not started again')
    .argument('<server>', 'for instance data3 or meta2')
    .action(terminate);
  withConfig(program.command('restart'))
    .description('test hook: a new process for a data server or a metaserver; returns when it takes part again')
    .argument('<server>', 'for instance data3 or meta2')
    .option('--blank', 'wipe its store first; it is rebuilt from the others')
    .action(restart);
}

async function corrupt(path: string, options: CorruptOptions): Promise<void> {
  const { config, withAdmin, print } = await load(options);
  const { innerPath } = await import('../paths.js');
  const { SLOW_CALL_MS } = await import('../admin-client.js');
  const { counted } = await import('../../explain/words.js');
  const inner = innerPath(config, path);
  await withAdmin(config, async (admin) => {
    for (const server of options.on) {
      const request = { path: inner, server, ...(options.text === undefined ? {} : { text: options.text }) };
      const { blocks } = await admin.corrupt(request, { deadlineMs: SLOW_CALL_MS });
      print(`${server}: ${counted(blocks, 'block')} of ${inner} corrupted`);
    }
  });
}

async function terminate(server: string, options: ConfigOption): Promise<void> {
  const { config, withAdmin, print } = await load(options);
  const { CommandFailure } = await import('../failure.js');
  await withAdmin(config, async (admin) => {
    await admin.terminate({ server });
    // It answers before it ends; whoever writes next must find it gone.
    const end = performance.now() + TERMINATE_DEADLINE_MS;
    while (!(await isDown(admin, server))) {
      if (performance.now() > end) {
        throw new CommandFailure(`${server} was told to end and is still there after ${TERMINATE_DEADLINE_MS} ms`);
      }
      await new Promise((resolve) => setTimeout(resolve, TERMINATE_POLL_MS));
    }
  });
  print(`${server}: terminated`);
}

async function isDown(admin: AdminService, server: string): Promise<boolean> {
  const { dataservers, metaservers } = await admin.status({});
  return [...metaservers, ...dataservers].every(({ name, state }) => name !== server || state === 'down');
}

async function restart(server: string, options: RestartOptions): Promise<void> {
  const { config, withAdmin, print } = await load(options);
  const { SLOW_CALL_MS } = await import('../admin-client.js');
  const blank = options.blank === true;
  await withAdmin(config, (admin) => admin.restart({ server, blank }, { deadlineMs: SLOW_CALL_MS }));
  const isMetaserver = config.metaservers.some(({ name }) => name === server);
  const how = isMetaserver
    ? ' with an empty store, which the other metaservers have filled'
    : ' with an empty store; "nmrfs status" shows its rebuild';
  print(`${server}: restarted${blank ? how : ''}`);
}

async function load(options: ConfigOption) {
  const [{ loadConfig }, { withAdmin }, { print }] = await Promise.all([
    import('../config-file.js'),
    import('../admin-client.js'),
    import('../output.js'),
  ]);
  return { config: await loadConfig(options.config), withAdmin, print };
}
