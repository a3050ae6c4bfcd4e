// nmrfs catalog shell: a line for each command, from a terminal, from a script, or from whatever standard input is.
import { createReadStream } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { CommandFailure, describeFailure, usageError } from '../failure.js';
import { print } from '../output.js';
import { CatalogClient } from './catalog-client.js';
import { COMMANDS } from './shell-commands.js';
import { complete } from './shell-completion.js';
import { UnclosedQuote, wordsOf } from './shell-words.js';

const ENDS: ReadonlySet<string> = new Set(['quit', 'exit']);

/** @param addresses HOST:PORT, several with commas between */
export async function runShell(addresses: string, script: string | undefined): Promise<void> {
  const list = addresses.split(',').map((address) => address.trim());
  if (list.some((address) => !/^.+:\d{1,5}$/.test(address)))
    throw usageError(`${addresses}: must be HOST:PORT[,HOST:PORT…]`);
  const client = new CatalogClient(list, process.env.NMRFS_SECRET);
  await client.learn();
  if (script === undefined && process.stdin.isTTY) await talk(client);
  else await runScript(client, script);
}

/** Stops at the first command that fails. */
async function runScript(client: CatalogClient, script: string | undefined): Promise<void> {
  const input = script === undefined ? process.stdin : createReadStream(script, 'utf8');
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++;
    try {
      if (!(await runLine(client, line))) return;
    } catch (error) {
      const { text, status } = describeFailure(error);
      throw new CommandFailure(`${script ?? 'line'}:${number}: ${text}`, status);
    }
  }
}

async function talk(client: CatalogClient): Promise<void> {
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt: promptOf(client),
    completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
      void complete(client, line).then((result) => done(null, result));
    },
  });
  terminal.prompt();
  for await (const line of terminal) {
    if (!(await tryLine(client, line, terminal))) break;
  }
  terminal.close();
}

/** @returns whether to go on */
async function tryLine(client: CatalogClient, line: string, terminal: Interface): Promise<boolean> {
  try {
    if (!(await runLine(client, line))) return false;
  } catch (error) {
    print(describeFailure(error).text);
  }
  terminal.setPrompt(promptOf(client));
  terminal.prompt();
  return true;
}

function promptOf({ address }: CatalogClient): string {
  return `${address}> `;
}

/** @returns whether to go on */
async function runLine(client: CatalogClient, line: string): Promise<boolean> {
  const words = readWords(line);
  const [name] = words;
  if (name === undefined) return true;
  if (ENDS.has(name)) return false;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw usageError(`${name}: unknown command; "help" has them all`);
  const said = await command.run(client, words);
  if (said !== '') print(said);
  return true;
}

function readWords(line: string): string[] {
  try {
    return wordsOf(line);
  } catch (error) {
    throw error instanceof UnclosedQuote ? usageError(error.message) : error;
  }
}
