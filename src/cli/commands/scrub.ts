// nmrfs scrub: a vote on every block, with a progress bar.
import type { Command } from 'commander';
import { counted } from '../../explain/words.js';
import type { ScrubProgress } from '../../protocol/services/admin.js';
import { type PrintOptions, withPrint } from './options.js';

const POLL_INTERVAL_MS = 200;

export function addScrubCommand(program: Command): void {
  withPrint(program.command('scrub'))
    .description('vote on every block of all files, or of one, and repair what dissents')
    .argument('[path]', 'a file: its path within the file system, or below the mount point')
    .action(scrub);
}

async function scrub(path: string | undefined, options: PrintOptions): Promise<void> {
  const [{ loadConfig }, { withAdmin }, { print, printJson }, { innerPath }] = await Promise.all([
    import('../config-file.js'),
    import('../admin-client.js'),
    import('../output.js'),
    import('../paths.js'),
  ]);
  const config = await loadConfig(options.config);
  const result = await withAdmin(config, async (admin) => {
    let progress = await admin.scrub(path === undefined ? {} : { path: innerPath(config, path) });
    const bar = options.json === true ? undefined : await startBar(progress);
    try {
      while (progress.running) {
        await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
        progress = await admin.scrubProgress({});
        bar?.setTotal(Math.max(progress.total, 1));
        bar?.update(progress.done);
      }
    } finally {
      bar?.stop();
    }
    return progress;
  });
  if (options.json === true) {
    printJson(result);
  } else {
    print(scrubText(result));
  }
  if (result.unreadable > 0) {
    const { CommandFailure } = await import('../failure.js');
    const blocks = counted(result.unreadable, 'block');
    throw new CommandFailure(`no quorum on ${blocks}, which can't be repaired`);
  }
}

export function scrubText({ done, dissents, repaired, unreadable, orphansRemoved }: ScrubProgress): string {
  return (
    `${counted(done, 'block')} voted on: ${dissents} with dissent, ${counted(repaired, 'replica')} repaired, ` +
    `${unreadable} without a quorum, ${counted(orphansRemoved, 'version')} of no file removed`
  );
}

async function startBar(progress: ScrubProgress) {
  const { default: progressBars } = await import('cli-progress');
  const bar = new progressBars.SingleBar({
    format: 'scrub [{bar}] {percentage}% {value} of {total} blocks, {eta_formatted} left',
    // A line now and then where there is no terminal to draw on.
    noTTYOutput: false,
    hideCursor: true,
  });
  bar.start(Math.max(progress.total, 1), progress.done);
  return bar;
}
