// npm run chaos -- --minutes M --seed S: three metaservers, two mediators and five data servers, each on a host of its own, under
// programs and faults. Needs root and iproute2: the hosts are network namespaces.
import { cp } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { wholeNumber } from '../src/cli/commands/options.js';
import { runChaos } from '../test/chaos/chaos-run.js';

/** The mounts, and sockets. */
const LEFT_OUT = ['mnt', 'run'];

interface Arguments {
  seed: number;
  minutes: number;
  metaservers: number;
  protocol: 'raft' | 'viewstamped';
  quiet?: true;
  keep?: string;
}

function minutes(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

const command = new Command('chaos')
  .description(
    'Kills, stops, cuts off, wipes and corrupts servers under programs; nothing may fail, and nothing be lost.',
  )
  .option('--seed <number>', 'decides the faults', wholeNumber(0), 1)
  .option('--minutes <number>', 'how long', minutes, 1)
  .option('--metaservers <number>', 'how many', wholeNumber(1), 3)
  .addOption(new Option('--protocol <protocol>', 'of the metaservers').choices(['raft', 'viewstamped']).default('raft'))
  .option('--keep <folder>', 'where logs and stores go when something was wrong')
  .option('--quiet', 'print the verdict only');

async function main(): Promise<void> {
  const given: Arguments = command.parse().opts();
  let isInterrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isInterrupted = true;
    });
  }
  const { problems, ...report } = await runChaos({
    ...given,
    isInterrupted: () => isInterrupted,
    onLine: (line) => {
      if (given.quiet !== true) console.log(line);
    },
    onFailure: async (folder) => {
      if (given.keep !== undefined)
        await cp(folder, given.keep, { recursive: true, filter: (path) => !LEFT_OUT.includes(basename(path)) });
    },
  });
  const { faults, rounds, registers } = report;
  console.log(`faults: ${listed(faults)}`);
  console.log(`rounds of programs: ${listed(rounds)}`);
  console.log(`${registers.operations} operations on ${registers.registers} registers; the longest of them:`);
  for (const { kind, register, atSeconds, ms } of registers.longest) {
    console.log(`  ${kind} of ${register} at ${atSeconds} s: ${ms} ms`);
  }
  for (const problem of problems) console.log(`PROBLEM ${problem}`);
  console.log(problems.length === 0 ? 'nothing failed, nothing is lost' : `${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

await main();
