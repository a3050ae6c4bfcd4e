// npm run failover -- --times N: how long programs on a mount wait when the metaserver that leads, or the active mediator, is killed
// or stopped under load. Prints a table.
import { Command, Option } from 'commander';
import { wholeNumber } from '../src/cli/commands/options.js';
import { LOSSES, type Loss, pausesOf } from './failover/losses.js';

interface Arguments {
  times: number;
  protocol: 'raft' | 'viewstamped';
  only?: Loss;
}

const command = new Command('failover')
  .description(
    'Kills and stops what leads in a cluster of three metaservers, two mediators and five data servers, under load.',
  )
  .option('--times <number>', 'how often each', wholeNumber(1), 20)
  .addOption(new Option('--protocol <protocol>', 'of the metaservers').choices(['raft', 'viewstamped']).default('raft'))
  .addOption(new Option('--only <loss>', 'one of the losses').choices(Object.keys(LOSSES)));

const { times, protocol, only } = command.parse().opts<Arguments>();
const losses = only === undefined ? (Object.keys(LOSSES) as Loss[]) : [only];
console.log(`${'LOST'.padEnd(20)} TIMES  MEDIAN  LONGEST (milliseconds that a program waits)`);
for (const loss of losses) {
  const pausesMs = (await pausesOf({ loss, times, protocol })).sort((one, other) => one - other);
  const median = pausesMs[Math.floor(pausesMs.length / 2)] ?? 0;
  const longest = pausesMs.at(-1) ?? 0;
  const words = [String(pausesMs.length).padStart(5), median.toFixed(0).padStart(7), longest.toFixed(0).padStart(8)];
  console.log(`${loss.padEnd(20)} ${words.join(' ')}`);
}
