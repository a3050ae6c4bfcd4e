// nmrfs replay: the page for recordings, without a cluster.
import type { Command } from 'commander';
import { wholeNumber } from './options.js';

interface ReplayOptions {
  port: number;
}

const HIGHEST_PORT = 65_535;

export function addReplayCommand(program: Command): void {
  program
    .command('replay')
    .description('shows a recording, or the table of protocols, in a browser on this machine, until Ctrl-C')
    .argument(
      '[files...]',
      'a recording, as "npm run simulate -- --record FILE" makes one, or those of several servers',
    )
    .option('--port <port>', 'where to listen on 127.0.0.1; 0: a free one', wholeNumber(0, HIGHEST_PORT), 0)
    .action(async (files: string[], { port }: ReplayOptions) => {
      const { serveReplay } = await import('../replay/serve-replay.js');
      await serveReplay(files, port);
    });
}
