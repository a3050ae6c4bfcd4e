// nmrfs status, votes and list-contents: looking at a running system.
import type { Command } from 'commander';
import { ServiceError } from '../../protocol/errors.js';
import type { Ballot, BlockVotes } from '../../protocol/services/admin.js';
import type { ListEntry } from '../../protocol/services/blocks.js';
import { type PrintOptions, withPrint } from './options.js';

/** Entries of list-contents per call; each takes some 100 bytes. */
const LIST_PAGE = 4096;
const WATCH_INTERVAL_MS = 1000;

interface StatusOptions extends PrintOptions {
  watch?: boolean;
}

export function addInspectionCommands(program: Command): void {
  withPrint(program.command('status'))
    .description('N, Qr, Qw, whether it can be read and written, and the state of each server')
    .option('--watch', 'print it again every second, until Ctrl-C')
    .action(status);
  withPrint(program.command('votes'))
    .description('the ballots of each block of a file, replica by replica')
    .argument('<path>', 'a file: its path within the file system, or below the mount point')
    .action(votes);
  withPrint(program.command('list-contents'))
    .description('what a data server holds')
    .argument('<server>', 'for instance data1')
    .action(listContents);
}

async function status(options: StatusOptions): Promise<void> {
  const [{ loadConfig }, { withAdmin }, { print, printJson }, { statusText }] = await Promise.all([
    import('../config-file.js'),
    import('../admin-client.js'),
    import('../output.js'),
    import('../status-text.js'),
  ]);
  const config = await loadConfig(options.config);
  await withAdmin(config, async (admin) => {
    for (;;) {
      const answer = await admin.status({}).catch(tellOutage);
      if (options.watch === true && process.stdout.isTTY) {
        process.stdout.write('\u001b[H\u001b[2J');
      }
      if (answer instanceof ServiceError) {
        print(answer.message);
      } else if (options.json === true) {
        printJson(answer);
      } else {
        print(statusText(answer, config.metadataProtocol));
      }
      if (options.watch !== true) {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, WATCH_INTERVAL_MS));
    }
  });

  /** Whoever watches wants to see the mediator come back. */
  function tellOutage(error: unknown): ServiceError {
    if (options.watch === true && error instanceof ServiceError) {
      return error;
    }
    throw error;
  }
}

async function votes(path: string, options: PrintOptions): Promise<void> {
  const [{ loadConfig }, { withAdmin }, { print, printJson }, { innerPath }] = await Promise.all([
    import('../config-file.js'),
    import('../admin-client.js'),
    import('../output.js'),
    import('../paths.js'),
  ]);
  const config = await loadConfig(options.config);
  const { blocks } = await withAdmin(config, (admin) => admin.votes({ path: innerPath(config, path) }));
  if (options.json === true) {
    printJson(blocks.map(votesAsJson));
  } else {
    print(blocks.length === 0 ? 'the file has no blocks' : await votesText(blocks));
  }
}

function votesAsJson({ witness, ballots, ...rest }: BlockVotes): object {
  const plain = ({ server, ballot }: BlockVotes['ballots'][number]): object =>
    ballot.state === 'present' ? { server, ...ballot, hash: hashText(ballot.hash) } : { server, ...ballot };
  return { ...rest, witness: hashText(witness), ballots: ballots.map(plain) };
}

async function votesText(blocks: readonly BlockVotes[]): Promise<string> {
  const { paint, table } = await import('../output.js');
  const cell = (ballot: Ballot, witness: bigint): string => {
    if (ballot.state !== 'present') {
      return paint('red', ballot.state);
    }
    return ballot.hash === witness ? hashText(ballot.hash) : paint('red', `${hashText(ballot.hash)}!`);
  };
  const servers = blocks[0]?.ballots.map(({ server }) => server) ?? [];
  const columns = [
    { title: 'BLOCK', right: true },
    { title: 'VERSION', right: true },
    { title: 'VERDICT' },
    { title: 'AGREE', right: true },
    { title: 'WITNESS' },
    ...servers.map((title) => ({ title })),
  ];
  const rows = blocks.map((block) => [
    String(block.index),
    String(block.version),
    block.verdict === 'agreed' ? paint('green', block.verdict) : paint('red', 'no quorum'),
    String(block.agreeing),
    hashText(block.witness),
    ...block.ballots.map(({ ballot }) => cell(ballot, block.witness)),
  ]);
  return `${table(columns, rows)}\n(! marks a hash that is not the witness's)`;
}

async function listContents(server: string, options: PrintOptions): Promise<void> {
  const [{ loadConfig }, { withAdmin }, { formatTime, print, printJson, table }] = await Promise.all([
    import('../config-file.js'),
    import('../admin-client.js'),
    import('../output.js'),
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

function hashText(hash: bigint): string {
  return hash.toString(16).padStart(16, '0');
}
