// npm run simulate -- --seed S --steps K: the real servers on a virtual clock,
// with faults and requests that the seed decides. Prints one line per seed, and
// of a run that fails all that is needed to understand and repeat it.
import { Command, Option } from 'commander';
import { wholeNumber } from '../src/cli/commands/options.js';
import { RecordingFile } from '../src/cli/recording-file.js';
import type { ClusterShape } from '../test/simulation/cluster-shape.js';
import { processesOf, Recorder } from '../test/simulation/recording/recorder.js';
import { shapeFor } from '../test/simulation/shapes.js';
import { Simulation, type SimulationOptions } from '../test/simulation/simulation.js';

interface Arguments {
  seed: number;
  seeds: number;
  steps: number;
  servers?: number;
  metaservers?: number;
  mediators?: number;
  protocol?: 'raft' | 'viewstamped';
  readQuorum?: number;
  writeQuorum?: number;
  mode: 'safe' | 'beyond';
  early?: true;
  verbose?: true;
  record?: string;
}

const command = new Command('simulate')
  .description('Runs the real servers on a virtual clock, with faults; the same seed gives the same run.')
  .option('--seed <number>', 'the first seed', wholeNumber(0), 1)
  .option('--seeds <number>', 'how many seeds to run, one after the other', wholeNumber(1), 1)
  .option('--steps <number>', 'requests and faults per run', wholeNumber(1), 500)
  .option('--servers <number>', 'data servers (default: the seed chooses)', wholeNumber(1))
  .option('--metaservers <number>', 'metaservers (default: the seed chooses)', wholeNumber(1))
  .option('--mediators <number>', 'mediators (default: the seed chooses)', wholeNumber(1))
  .addOption(
    new Option('--protocol <protocol>', 'of their group (default: the seed chooses)').choices(['raft', 'viewstamped']),
  )
  .option('--read-quorum <number>', 'equal ballots that win (default: the seed chooses)', wholeNumber(1))
  .option('--write-quorum <number>', 'servers that a write needs (default: the seed chooses)', wholeNumber(1))
  .addOption(
    new Option(
      '--mode <mode>',
      'faults that the configuration promises to survive, or any, with refusals as fine answers',
    )
      .choices(['safe', 'beyond'])
      .default('safe'),
  )
  .option('--early', 'the only mediator answers before the metaserver has what was changed, as it does its own mount')
  .option('--record <file>', 'record what all processes do, for the page; .gz compresses')
  .option('--verbose', 'print the whole trace as it happens');

async function main(): Promise<void> {
  const given: Arguments = command.parse().opts();
  const fixed: Partial<ClusterShape> = {
    ...(given.servers === undefined ? {} : { servers: given.servers }),
    ...(given.metaservers === undefined ? {} : { metaservers: given.metaservers }),
    ...(given.mediators === undefined ? {} : { mediators: given.mediators }),
    ...(given.protocol === undefined ? {} : { protocol: given.protocol }),
    ...(given.readQuorum === undefined ? {} : { readQuorum: given.readQuorum }),
    ...(given.writeQuorum === undefined ? {} : { writeQuorum: given.writeQuorum }),
    ...(given.early === undefined ? {} : { answersEarly: true, mediators: 1 }),
  };
  if (given.record !== undefined && given.seeds > 1) command.error('error: --record takes one seed');
  let failed = 0;
  for (let seed = given.seed; seed < given.seed + given.seeds; seed++) {
    const options: SimulationOptions = { seed, steps: given.steps, mode: given.mode, shape: shapeFor(seed, fixed) };
    if (given.verbose) options.onLine = (line) => console.log(line);
    const recording = given.record === undefined ? null : recordingOf(given.record, options);
    if (recording !== null) options.recorder = recording.recorder;
    if (!(await runOne(options))) failed++;
    await recording?.file.close();
  }
  if (given.seeds > 1) console.log(`${given.seeds - failed} of ${given.seeds} seeds passed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function runOne(options: SimulationOptions): Promise<boolean> {
  const { seed, steps, mode, shape } = options;
  const startMs = performance.now();
  const { failure, digest, trace, statistics } = await new Simulation(options).run();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const cluster = `N=${shape.servers} Qr=${shape.readQuorum} Qw=${shape.writeQuorum} M=${shape.metaservers} ${shape.protocol} mediators=${shape.mediators}`;
  const numbers = Object.entries(statistics).map(([name, value]) => `${name} ${value}`);
  console.log(
    `seed ${seed} ${cluster} ${mode}: ${failure === null ? 'passed' : 'FAILED'}, ${numbers.join(', ')}, digest ${digest}, ${seconds} s`,
  );
  if (failure === null) return true;
  console.log(trace.join('\n'));
  console.log(`step ${failure.step}: ${failure.message}`);
  console.log(`again: ${replay(seed, steps, mode, shape)}`);
  return false;
}

function recordingOf(path: string, { seed, steps, mode, shape }: SimulationOptions) {
  const file = new RecordingFile(path);
  const recorder = new Recorder({
    write: (text) => file.write(text),
    title: `Simulation, seed ${seed}, ${steps} steps`,
    command: replay(seed, steps, mode, shape),
    processes: processesOf(shape),
  });
  return { file, recorder };
}

/** The command line that repeats a run. */
function replay(seed: number, steps: number, mode: string, shape: ClusterShape): string {
  const { servers, readQuorum, writeQuorum, metaservers, mediators, protocol } = shape;
  const data = `--servers ${servers} --read-quorum ${readQuorum} --write-quorum ${writeQuorum}`;
  const control = `--metaservers ${metaservers} --mediators ${mediators} --protocol ${protocol}`;
  return `npm run simulate -- --seed ${seed} --steps ${steps} --mode ${mode} ${data} ${control}`;
}

await main();
