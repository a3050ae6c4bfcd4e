// nmrfs catalog: the replicated map from paths to values.
import type { Command } from 'commander';
import type { ChaosOptions } from '../catalog/chaos/monkey.js';

interface TraceOption {
  trace?: boolean;
  record?: string;
}

export function addCatalogCommands(program: Command): void {
  const group = program.command('catalog').description('a small replicated map from paths to values');
  withTrace(group.command('serve'))
    .description('run one server of a catalog')
    .argument('<config>', "a file in YAML, or in SurfStore's form (M: 5, metadata0: HOST:PORT …)")
    .argument('<id>', 'its name, or its number in the file')
    .action(async (config: string, id: string, options: TraceOption) => {
      const { serveCatalog } = await import('../catalog/serve-catalog.js');
      await serveCatalog(config, id, tellingOf(options));
    });
  withTrace(group.command('join'))
    .description('run a server that comes into a catalog which is there already')
    .argument('<living>', 'HOST:PORT of a server of the catalog')
    .argument('<name>', 'a name that none of its servers has')
    .argument('<address>', 'HOST:PORT of the new server')
    .argument('[directory]', 'an empty folder; none for a catalog in memory')
    .action(
      async (living: string, name: string, address: string, directory: string | undefined, options: TraceOption) => {
        const { joinCatalog } = await import('../catalog/join-catalog.js');
        await joinCatalog(living, { name, address, directory }, tellingOf(options));
      },
    );
  group
    .command('shell')
    .description('create, set, get, list and remove paths, and look after servers')
    .argument('<addresses>', 'HOST:PORT of one or several servers, with commas between')
    .argument('[script]', 'a file with a command on each line; it stops at the first that fails')
    .action(async (addresses: string, script: string | undefined) => {
      const { runShell } = await import('../catalog/shell.js');
      await runShell(addresses, script);
    });
  group
    .command('chaos')
    .description('crash and restore servers while clients write, and see whether everything holds')
    .argument('<config>', 'the configuration of a catalog that runs, or, with --processes, does not run')
    .option('--minutes <number>', 'for how long', '1')
    .option('--seed <number>', 'decides what is done', '1')
    .option('--processes', 'start the servers here, and kill and stop them as well')
    .option('--majority', 'crash a majority too, now and then: clients wait then')
    .action(async (config: string, options: ChaosOptions) => {
      const { runChaos } = await import('../catalog/chaos/monkey.js');
      await runChaos(config, options);
    });
  group
    .command('stop')
    .description('end a server in order: what it has answered stays, and another one leads')
    .argument('<address>', 'HOST:PORT of the server')
    .action(async (address: string) => {
      const { stopServer } = await import('../catalog/administration.js');
      await stopServer(address);
    });
  group
    .command('remove')
    .description('take a server out of its catalog')
    .argument('<address>', 'HOST:PORT of any server of the catalog')
    .argument('<name>', 'of the one that goes')
    .action(async (address: string, name: string) => {
      const { removeServer } = await import('../catalog/administration.js');
      await removeServer(address, name);
    });
}

function withTrace(command: Command): Command {
  return command
    .option('--trace', 'print every message between servers and from clients (or NMRFS_TRACE=1)')
    .option('--record <file>', 'record every message, for nmrfs replay; .gz compresses');
}

function tellingOf({ trace, record }: TraceOption): { trace: boolean; record: string | undefined } {
  return { trace: trace === true || process.env.NMRFS_TRACE === '1', record };
}
