// npm run memory -- --minutes 60: a fresh cluster with a second mount under a
// mixed load. Prints every minute what memory each process has, and at the end
// whether any has grown since the tenth minute, and what the servers have
// logged that was not in order.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../src/cli/commands/options.js';
import { Cluster, run } from '../test/support/cluster.js';
import { troubleIn } from '../test/support/trouble.js';
import { layOut } from './bench/table.js';
import { Load } from './memory/load.js';
import { type Probe, probe } from './memory/probe.js';
import { MemorySampler, type MinuteOfMemory } from './memory/sampler.js';

const MINUTE_MS = 60_000;
const SAMPLE_MS = 5_000;
/** From then on a process must not grow; in a short run from the middle on. */
const BASE_MINUTE = 10;
/** What counts as grown. */
const LIMIT = 1.3;

interface Arguments {
  minutes: number;
  servers: number;
  csv?: string;
  keep?: true;
}

const command = new Command('memory')
  .description('What memory all servers take while two mounts are used.')
  .option('--minutes <number>', 'how long', wholeNumber(1), 60)
  .option('--servers <number>', 'data servers', wholeNumber(1), 5)
  .option('--csv <file>', 'write all figures there, too')
  .option('--keep', "leave the servers' folder");

interface Minute {
  memory: MinuteOfMemory;
  operations: number;
  probe: Probe;
}

async function main(): Promise<number> {
  const given: Arguments = command.parse().opts();
  let interrupted = false;
  process.on('SIGINT', () => {
    interrupted = true;
  });
  const cluster = await Cluster.start({ servers: given.servers });
  const second = join(cluster.folder, 'second');
  const minutes: Minute[] = [];
  try {
    await mkdir(second);
    await cluster.must('mount', second);
    const sampler = await MemorySampler.of(cluster);
    const load = new Load([cluster.mountPoint, second]);
    try {
      for (let minute = 1; minute <= given.minutes && !interrupted; minute++) {
        minutes.push(await oneMinute(load, sampler, second, () => interrupted));
        console.log(lineOf(minute, minutes));
        if (given.csv !== undefined) await writeFile(given.csv, csvOf(minutes));
      }
    } finally {
      await load.end();
    }
    console.log(`\nat most ${Math.round(load.longestUnseenMs)} ms until one mount had what another had made`);
    return await verdict(cluster, minutes);
  } finally {
    await run('umount', ['-l', second], '/');
    if (given.keep) {
      await cluster.stop();
      console.log(`the servers' folder: ${cluster.folder}`);
    } else {
      await cluster.destroy();
    }
  }
}

async function oneMinute(load: Load, sampler: MemorySampler, folder: string, isOver: () => boolean): Promise<Minute> {
  const endMs = performance.now() + MINUTE_MS;
  const before = load.operations;
  load.start();
  while (performance.now() < endMs && !isOver()) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    await sampler.sample();
  }
  await load.pause();
  return {
    memory: sampler.take(),
    operations: load.operations - before,
    probe: await probe(folder, sampler.pidOf('mediator')),
  };
}

/** The head before the first line; columns as wide as their names and figures. */
function lineOf(minute: number, minutes: readonly Minute[]): string {
  const last = minutes.at(-1);
  if (last === undefined) return '';
  const names = [...last.memory.keys()];
  const head = ['minute', ...names, 'operations', 'make+unlink', 'of the mediator'];
  const cells = [
    String(minute),
    ...names.map((name) => mebibytes(last.memory.get(name))),
    String(last.operations),
    `${last.probe.wallMs.toFixed(2)} ms`,
    `${last.probe.mediatorMs.toFixed(2)} ms`,
  ];
  const widths = head.map((name) => Math.max(name.length, 'anon+file'.length));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  ');
  const title = 'MiB of memory, anonymous + of files (libraries, mapped databases)';
  return minute === 1 ? `${title}\n${line(head)}\n${line(cells)}` : line(cells);
}

function mebibytes(memory: { anonymousKib: number; filesKib: number } | undefined): string {
  if (memory === undefined) return 'gone';
  return `${Math.round(memory.anonymousKib / 1024)}+${Math.round(memory.filesKib / 1024)}`;
}

function csvOf(minutes: readonly Minute[]): string {
  const names = [...(minutes[0]?.memory.keys() ?? [])];
  const head = [
    'minute',
    ...names.flatMap((name) => [`${name} anonymous KiB`, `${name} files KiB`]),
    'operations',
    'make+unlink ms',
    'of the mediator ms',
  ];
  const rows = minutes.map(({ memory, operations, probe: { wallMs, mediatorMs } }, position) => [
    position + 1,
    ...names.flatMap((name) => [memory.get(name)?.anonymousKib ?? '', memory.get(name)?.filesKib ?? '']),
    operations,
    wallMs.toFixed(3),
    mediatorMs.toFixed(3),
  ]);
  return `${[head, ...rows].map((row) => row.join(',')).join('\n')}\n`;
}

/** Prints it; the exit status. */
async function verdict(cluster: Cluster, minutes: readonly Minute[]): Promise<number> {
  const baseMinute = Math.min(BASE_MINUTE, Math.ceil(minutes.length / 2));
  const base = minutes[baseMinute - 1]?.memory;
  const last = minutes.at(-1)?.memory;
  if (base === undefined || last === undefined) return 1;
  const rows = [['process', `minute ${baseMinute}`, `minute ${minutes.length}`, 'ratio', '']];
  let grown = 0;
  for (const [name, before] of base) {
    const after = last.get(name);
    const beforeKib = before.anonymousKib + before.filesKib;
    const afterKib = after === undefined ? Number.NaN : after.anonymousKib + after.filesKib;
    const isFlat = afterKib <= LIMIT * beforeKib;
    if (!isFlat) grown++;
    const figures = [beforeKib, afterKib].map((kib) => `${Math.round(kib / 1024)} MiB`);
    rows.push([name, ...figures, (afterKib / beforeKib).toFixed(2), isFlat ? '' : 'GROWN']);
  }
  console.log(`\n${layOut(rows)}`);
  const trouble = await troubleIn(cluster.logFolder);
  console.log(`\n${trouble.length} log lines at warn or above${trouble.length === 0 ? '' : ':'}`);
  for (const line of trouble) console.log(line);
  console.log(grown === 0 ? '\nflat' : `\n${grown} processes have grown beyond ${LIMIT} times`);
  return grown === 0 && trouble.length === 0 ? 0 : 1;
}

process.exitCode = await main();
