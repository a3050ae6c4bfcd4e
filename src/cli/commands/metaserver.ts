// nmrfs metaserver: who leads the group of metaservers, and who belongs to it.
import type { Command } from 'commander';
import type { Config } from '../../config.js';
import { type ConfigOption, withConfig } from './options.js';

/** Longer than its supervisor gives a server to stop. */
const RETIRE_DEADLINE_MS = 15_000;
const ADMIT_DEADLINE_MS = 50_000;
/** It may get all files' names and block maps first. It comes in later than that, too. */
const JOIN_LIMIT_MS = 120_000;

export function addMetaserverCommands(program: Command): void {
  const group = program.command('metaserver').description('the group of metaservers, while it runs');
  withConfig(group.command('transfer'))
    .description('have a metaserver lead the others')
    .argument('<name>', 'for instance meta2')
    .action(transfer);
  withConfig(group.command('add'))
    .description('add a metaserver to the group and to the configuration file, and start it where "nmrfs up" runs')
    .argument('<name>', 'for instance meta4')
    .argument('<address>', 'HOST:PORT')
    .argument('<directory>', 'an empty folder on its host; it is made where it is missing')
    .action(add);
  withConfig(group.command('remove'))
    .description('take a metaserver out of the group and out of the configuration file')
    .argument('<name>', 'for instance meta3')
    .action(remove);
}

async function transfer(name: string, options: ConfigOption): Promise<void> {
  const { config, print, withGroup, leaderOf } = await load(options);
  await known(config.metaservers, name);
  await withGroup(config, async (group) => {
    await group.atLeader((leader) => leader.transfer({ name }));
    await group.until(`${name} leading`, (standings) => leaderOf(standings) === name);
  });
  print(`${name} leads`);
}

async function add(name: string, address: string, directory: string, options: ConfigOption): Promise<void> {
  const { config, print, withGroup, leaderOf } = await load(options);
  const { addServer, checkNewServer } = await import('../config-file.js');
  const server = { name, address, directory };
  await checkNewServer(config.file, 'metaservers', server);
  // The group first: what it refuses must not get into the file.
  await withGroup(config, (group) => group.atLeader((leader) => leader.add({ name, address })));
  const grown = await addServer(config.file, 'metaservers', server);
  const { askSupervisor } = await import('../supervisor/control-client.js');
  const started = await askSupervisor(config, (control) => control.admit({ name }, { deadlineMs: ADMIT_DEADLINE_MS }));
  if (started === undefined) {
    await tellMediator(config);
    print(
      `${name} is in ${config.file}, and its address is known to the group; no "nmrfs up" runs here: start it on its host`,
    );
    return;
  }
  await withGroup(grown, (group) =>
    group.until(
      `${name} as a voter`,
      (standings) => standings.get(leaderOf(standings) ?? '')?.voters.includes(name) === true,
      JOIN_LIMIT_MS,
    ),
  );
  await tellMediator(config);
  print(`${name} belongs to the group and is in ${config.file}`);
}

/** By a question for its status a mediator that runs hears where a new metaserver is, and follows it also when the others are gone. */
async function tellMediator(config: Config): Promise<void> {
  const { ifRunning } = await import('../admin-client.js');
  await ifRunning(config, (admin) => admin.status({}));
}

async function remove(name: string, options: ConfigOption): Promise<void> {
  const { config, print, withGroup } = await load(options);
  const { removeServer } = await import('../config-file.js');
  await known(config.metaservers, name);
  await withGroup(config, (group) => group.atLeader((leader) => leader.remove({ name })));
  await removeServer(config.file, 'metaservers', name);
  const done = `${name} is out of the group and of ${config.file}`;
  if (await retired(config, name, done)) print(`${done}, and its process has ended; its folder can be removed`);
  else print(`${done}; no "nmrfs up" runs here: end its process on its host, then its folder can be removed`);
}

/** Whether a supervisor here has ended the process: it would start it again after a crash, and in vain. */
async function retired(config: Config, name: string, done: string): Promise<boolean> {
  const { askSupervisor } = await import('../supervisor/control-client.js');
  try {
    const asked = await askSupervisor(config, (control) =>
      control.retire({ name }, { deadlineMs: RETIRE_DEADLINE_MS }),
    );
    return asked !== undefined;
  } catch (error) {
    const { CommandFailure } = await import('../failure.js');
    const { messageOf } = await import('../../runtime/caught-errors.js');
    throw new CommandFailure(`${done}, but its process runs on until "nmrfs up" is started anew: ${messageOf(error)}`);
  }
}

async function known(servers: readonly { name: string }[], name: string): Promise<void> {
  const { usageError } = await import('../failure.js');
  const names = servers.map((server) => server.name);
  if (!names.includes(name)) throw usageError(`${name}: there is no such metaserver; there are ${names.join(', ')}`);
}

/** What these commands need; loaded when one runs, so that the others start faster. */
async function load(options: ConfigOption) {
  const { loadConfig } = await import('../config-file.js');
  const { print } = await import('../output.js');
  const { withGroup, leaderOf } = await import('../group-client.js');
  return { config: await loadConfig(options.config), print, withGroup, leaderOf };
}
