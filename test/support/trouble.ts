// What servers have written to their logs at level warn or above.
import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Those lines of all logs in a folder, in the order of the files' names. */
export async function troubleIn(logFolder: string): Promise<string[]> {
  const found: string[] = [];
  // A cluster that never came up may have none.
  for (const name of (await readdir(logFolder).catch(() => [])).sort()) {
    const text = await readFile(join(logFolder, name), 'utf8');
    for (const line of text.split('\n')) if (isTrouble(line)) found.push(line);
  }
  return found;
}

/** Adds those lines to the file that NMRFS_TROUBLE names, for whoever wants them of a whole test run. */
export async function noteTrouble(logFolder: string, cluster: 'healthy' | 'harmed'): Promise<void> {
  const file = process.env.NMRFS_TROUBLE;
  if (file === undefined) return;
  for (const line of await troubleIn(logFolder)) await appendFile(file, `${cluster} ${line}\n`);
}

/** What is no log line of ours, such as a message of Node or of a library, is none that should be there. */
function isTrouble(line: string): boolean {
  if (line === '') return false;
  try {
    const { level } = JSON.parse(line) as { level?: unknown };
    return level !== 'debug' && level !== 'info';
  } catch {
    return true;
  }
}
