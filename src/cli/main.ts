// The nmrfs command. Each group of subcommands loads what it needs only when
// one of them runs, so that --help and a quick question stay quick.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { addCatalogCommands } from './commands/catalog.js';
import { addFaultCommands } from './commands/faults.js';
import { addInspectionCommands } from './commands/inspection.js';
import { addMetaserverCommands } from './commands/metaserver.js';
import { addMountCommands } from './commands/mounting.js';
import { addReplayCommand } from './commands/replay.js';
import { addRunCommands } from './commands/running.js';
import { addScrubCommand } from './commands/scrub.js';
import { addSetupCommands } from './commands/setup.js';
import { describeFailure, EXIT_USAGE } from './failure.js';

/** From the nearest package.json above: this file is compiled to more than one depth. */
function version(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) {
      return String((JSON.parse(readFileSync(file, 'utf8')) as { version: unknown }).version);
    }
  }
  return 'unknown';
}

function program(): Command {
  const command = new Command('nmrfs')
    .description('A file system that keeps every byte on N independent data servers and lets them vote on every read')
    .version(version())
    .exitOverride();
  addSetupCommands(command);
  addRunCommands(command);
  addMountCommands(command);
  addInspectionCommands(command);
  addFaultCommands(command);
  addScrubCommand(command);
  addMetaserverCommands(command);
  addCatalogCommands(command);
  addReplayCommand(command);
  return command;
}

async function main(): Promise<void> {
  // `nmrfs votes … | head` ends the reader early; that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      throw error;
    }
    process.exit(0);
  });
  try {
    await program().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed its line already.
      process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
      return;
    }
    const { text, status } = describeFailure(error);
    process.stderr.write(`nmrfs: ${text}\n`);
    process.exitCode = status;
  }
}

await main();
