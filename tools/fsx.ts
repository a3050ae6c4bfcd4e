// npm run fsx -- --seed S --operations K --files F --faults: random operations
// on a real mount of a real cluster, against a model. Prints one line per seed,
// and of a run that fails all that is needed to understand and repeat it.
import { Command } from 'commander';
import { wholeNumber } from '../src/cli/commands/options.js';
import { runOnCluster } from '../test/random-files/cluster-run.js';
import { shapeOf, shapeText } from '../test/random-files/shapes.js';

const MINUTE_MS = 60_000;

interface Arguments {
  seed: number;
  seeds: number;
  operations: number;
  for?: number;
  files: number;
  workers: number;
  mounts: number;
  faults?: true;
  verbose?: true;
  keep?: true;
}

const command = new Command('fsx')
  .description('Random operations on a mount, against a model; a seed decides them, and the cluster.')
  .option('--seed <number>', 'the first seed', wholeNumber(0), 1)
  .option('--seeds <number>', 'how many seeds to run, one after the other; 0: until interrupted', wholeNumber(0), 1)
  .option('--operations <number>', 'operations per seed; 0: until interrupted', wholeNumber(0), 1000)
  .option('--for <minutes>', 'end after so long, whatever else is said', wholeNumber(1))
  .option('--files <number>', 'names of files', wholeNumber(1), 3)
  .option('--workers <number>', 'how many work at a time, each on files of its own', wholeNumber(1), 1)
  .option('--mounts <number>', '2: the workers go from one mount to another and back', wholeNumber(1, 2), 1)
  .option('--faults', 'kill, stop, end, wipe and corrupt data servers meanwhile')
  .option('--verbose', 'print all operations and faults')
  .option('--keep', "leave the servers' folder, with their logs, when a run fails");

async function main(): Promise<void> {
  const given: Arguments = command.parse().opts();
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      interrupted = true;
    });
  }
  const endMs = given.for === undefined ? Number.POSITIVE_INFINITY : performance.now() + given.for * MINUTE_MS;
  const isOver = () => interrupted || performance.now() > endMs;
  let failed = 0;
  let ran = 0;
  for (let seed = given.seed; (given.seeds === 0 || ran < given.seeds) && !isOver(); seed++) {
    const title = `seed ${seed} ${shapeText(shapeOf(seed))}`;
    const startMs = performance.now();
    try {
      const operations = await runOnCluster({
        ...given,
        seed,
        faults: given.faults === true,
        isOver,
        ...(given.verbose ? { onLine: (line) => console.log(line) } : {}),
        ...(given.keep ? { onFailure: (folder) => console.log(`the servers' folder: ${folder}`) } : {}),
      });
      console.log(`${title}: passed, ${operations} operations, ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
      ran++;
    } catch (error) {
      if (interrupted) {
        // A terminal interrupts the servers as well.
        console.log(`${title}: interrupted, nothing wrong until then`);
        break;
      }
      ran++;
      failed++;
      console.log(`${title}: FAILED\n${error instanceof Error ? error.message : error}`);
    }
  }
  if (given.seeds !== 1) console.log(`${ran - failed} of ${ran} seeds passed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
