// What the Tab key completes in the shell: names of commands, and paths of the catalog.
import { checkPath, childOf, ROOT } from '../../catalog/map/paths.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { CatalogClient } from './catalog-client.js';
import { COMMANDS } from './shell-commands.js';

/** Long enough for a catalog that answers. */
const LIMIT_MS = 2000;

/** @returns what the line may go on with, and what of the line that stands for. Never rejects: nothing is completed then. */
export async function complete(client: Pick<CatalogClient, 'look'>, line: string): Promise<[string[], string]> {
  const words = line.trimStart().split(/\s+/);
  const last = words.at(-1) ?? '';
  if (words.length <= 1) {
    return [
      Object.keys(COMMANDS)
        .filter((name) => name.startsWith(last))
        .map((name) => `${name} `),
      last,
    ];
  }
  const [command = ''] = words;
  const takesPath = Object.hasOwn(COMMANDS, command) && COMMANDS[command]?.usage.includes('PATH') === true;
  if (words.length !== 2 || !takesPath || !last.startsWith('/')) return [[], last];
  const slash = last.lastIndexOf('/');
  const parent = slash === 0 ? ROOT : last.slice(0, slash);
  const beginning = last.slice(slash + 1);
  const names = await childrenOf(client, parent);
  return [names.filter((name) => name.startsWith(beginning)).map((name) => childOf(parent, name)), last];
}

async function childrenOf(client: Pick<CatalogClient, 'look'>, parent: string): Promise<string[]> {
  try {
    checkPath(parent);
    const { status, content } = await client.look(`/v1${encodeURI(parent)}?list`, LIMIT_MS);
    const { children } = content as { children?: unknown };
    // A name with a space or a quote would have to be quoted as well.
    return status === 200 && Array.isArray(children) ? children.filter((name) => /^[^\s"'\\#]+$/.test(name)) : [];
  } catch (error) {
    rethrowProgramFault(error);
    // No server answers, or it is no path: nothing is completed.
    return [];
  }
}
