// nmrfs metaserver: who leads the group of metaservers, and who belongs to it.
import type { Command } from 'commander';
import { type ConfigOption, withConfig } from './options.js';

export function addMetaserverCommands(program: Command): void {
  const group = program.command('metaserver').description('the group of metaservers, while it runs');
  withConfig(group.command('transfer'))
    .description('have a metaserver lead the others')
    .argument('<name>', 'for instance meta2')
    .action(transfer);
  withConfig(group.command('remove'))
    .description('take a metaserver out of the group and out of the configuration file')
    .argument('<name>', 'for instance meta3')
    .action(remove);
}

async function transfer(name: string, options: ConfigOption): Promise<void> {
  const { config, print, atLeader, untilStandings, leaderOf } = await load(options);
  await known(config.metaservers, name);
  await atLeader(config, (leader) => leader.transfer({ name }));
  await untilStandings(config, `${name} leading`, (standings) => leaderOf(standings) === name);
  print(`${name} leads`);
}

async function remove(name: string, options: ConfigOption): Promise<void> {
  const { config, print, atLeader } = await load(options);
  const { removeServer } = await import('../config-file.js');
  await known(config.metaservers, name);
  await atLeader(config, (leader) => leader.remove({ name }));
  await removeServer(config.file, 'metaservers', name);
  print(`${name} is out of the group and of ${config.file}; its process can be stopped, its folder removed`);
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
  const { atLeader, untilStandings, leaderOf } = await import('../group-client.js');
  return { config: await loadConfig(options.config), print, atLeader, untilStandings, leaderOf };
}
