// nmrfs status, votes and list-contents: looking at a running system.
import type { Command } from 'commander';
import type { ListEntry } from '../../protocol/services/blocks.js';
import { type PrintOptions, seconds, withPrint } from './options.js';

/** Entries of list-contents per call; each takes some 100 bytes. */
const LIST_PAGE = 4096;
/** Seconds. Anything shorter shows no more, and keeps the servers busy. */
const SHORTEST_INTERVAL = 0.1;
const LONGEST_INTERVAL = 3600;

interface StatusOptions extends PrintOptions {
  watch?: boolean;
  interval?: number;
}

interface VotesOptions extends PrintOptions {
  explain?: boolean;
}

export function addInspectionCommands(program: Command): void {
  withPrint(program.command('status'))
    .description('N, Qr, Qw, whether it can be read and written, and the state of each server')
    .option('--watch', 'show it as it changes, until Ctrl-C')
    .option(
      '--interval <seconds>',
      'with --watch: how often to look (default: 1)',
      seconds(SHORTEST_INTERVAL, LONGEST_INTERVAL),
    )
    .action(status);
  withPrint(program.command('votes'))
    .description('the ballots of each block of a file, replica by replica')
    .argument('<path>', 'a file: its path within the file system, or below the mount point')
    .option('--explain', 'say in words what each vote came to, and why')
    .action(votes);
  withPrint(program.command('list-contents'))
    .description('what a data server holds')
    .argument('<server>', 'for instance data1')
    .action(listContents);
}

async function status(options: StatusOptions): Promise<void> {
  const [{ loadConfig }, { withAdmin }, { print, printJson }, { statusText }, { watchStatus }] = await Promise.all([
    import('../config-file.js'),
    import('../admin-client.js'),
    import('../output.js'),
    import('../status-text.js'),
    import('../watch/watch-status.js'),
  ]);
  const config = await loadConfig(options.config);
  if (options.watch === true) {
    await watchStatus(config, { isJson: options.json === true, intervalMs: (options.interval ?? 1) * 1000 });
    return;
  }
  const answer = await withAdmin(config, (admin) => admin.status({}));
  if (options.json === true) printJson(answer);
  else print(statusText(answer, config.metadataProtocol));
}

async function votes(path: string, options: VotesOptions): Promise<void> {
  const [{ loadConfig }, { withAdmin }, { print, printJson }, { innerPath }, texts] = await Promise.all([
    import('../config-file.js'),
    import('../admin-client.js'),
    import('../output.js'),
    import('../paths.js'),
    import('../votes-text.js'),
  ]);
  const config = await loadConfig(options.config);
  const isExplained = options.explain === true;
  const { blocks, readQuorum } = await withAdmin(config, async (admin) => ({
    ...(await admin.votes({ path: innerPath(config, path) })),
    // It may have been changed while it runs.
    readQuorum: isExplained ? (await admin.status({})).readQuorum : config.readQuorum,
  }));
  if (options.json === true) {
    printJson(blocks.map((block) => texts.votesAsJson(block, isExplained ? readQuorum : undefined)));
  } else if (blocks.length === 0) {
    print('the file has no blocks');
  } else {
    print(isExplained ? texts.explainedVotes(blocks, readQuorum) : texts.votesText(blocks));
  }
}

async function listContents(server: string, options: PrintOptions): Promise<void> {
  const [{ loadConfig }, { withAdmin }, { formatTime, print, printJson, table }, { hashText }] = await Promise.all([
    import('../config-file.js'),
    import('../admin-client.js'),
    import('../output.js'),
    import('../votes-text.js'),
  ]);
  const config = await loadConfig(options.config);
  const entries: (ListEntry & { path: string | null })[] = [];
  await withAdmin(config, async (admin) => {
    let page = await admin.listContents({ server, limit: LIST_PAGE });
    entries.push(...page.entries);
    while (page.next !== undefined) {
      page = await admin.listContents({ server, after: page.next, limit: LIST_PAGE });
      entries.push(...page.entries);
    }
  });
  if (options.json === true) {
    printJson(
      entries.map(({ hash, modifiedNs, ...entry }) => ({
        ...entry,
        hash: hashText(hash),
        modified: formatTime(modifiedNs),
      })),
    );
    return;
  }
  const columns = [
    { title: 'KEY' },
    { title: 'VERSION', right: true },
    { title: 'LENGTH', right: true },
    { title: 'HASH' },
    { title: 'MODIFIED' },
    { title: 'PATH' },
  ];
  const rows = entries.map((entry) => [
    `${entry.inode}/${entry.index}`,
    String(entry.version),
    String(entry.length),
    hashText(entry.hash),
    formatTime(entry.modifiedNs),
    entry.path ?? '(no file)',
  ]);
  print(rows.length === 0 ? `${server} holds no blocks` : table(columns, rows));
}
