// Programs that nobody here wrote, run on a mount and, as the oracle, in a
// plain directory. One that is not installed skips its tests with a reason; in
// CI that would hide what the tests are for, so there it is a failure.
import assert from 'node:assert/strict';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Context } from 'mocha';
import { Cluster, type ClusterOptions, run } from './cluster.js';
import { requireFuse } from './require-fuse.js';

/** Debian keeps the PostgreSQL server's programs off the PATH, by version. */
const POSTGRES_FOLDER = '/usr/lib/postgresql';
/** No program here takes this long; one that does has failed, and all that it started is killed. */
const TIME_LIMIT_S = 100;
/** A little later, should `timeout` itself not come to an end. */
const HARD_AFTER_S = 20;

/** Skips the tests unless all these programs are installed. */
export function requirePrograms(context: Context, ...names: string[]): void {
  const missing = names.filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return;
  const reason = `not installed: ${missing.join(', ')}`;
  if (process.env.CI === 'true') throw new Error(`${reason}, and CI must run every test; .ci/run installs them`);
  process.stdout.write(`skipped: ${reason}\n`);
  // A developer's machine need not have every program; CI must, and has failed above.
  context.skip();
}

/** The path of a program; undefined when there is none. */
export function findProgram(name: string): string | undefined {
  const folders = [...postgresFolders(), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** Newest version first. */
function postgresFolders(): string[] {
  if (!existsSync(POSTGRES_FOLDER)) return [];
  const versions = readdirSync(POSTGRES_FOLDER).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(POSTGRES_FOLDER, version, 'bin'));
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A cluster, and a plain directory beside it that goes away with it. */
export class Workplace {
  private constructor(
    readonly cluster: Cluster,
    readonly plain: string,
  ) {}

  get mounted(): string {
    return this.cluster.mountPoint;
  }

  /** Skips the tests where nothing can be mounted or a program is missing. */
  static async open(context: Context, programs: readonly string[], options: ClusterOptions): Promise<Workplace> {
    requireFuse(context);
    requirePrograms(context, ...programs);
    const cluster = await Cluster.start(options);
    const plain = join(cluster.folder, 'plain');
    await mkdir(plain);
    return new Workplace(cluster, plain);
  }

  /** Runs the script in both places; it must print the same. Answers what it printed. */
  async inBoth(script: string): Promise<string> {
    const expected = await succeed(script, this.plain);
    assert.equal(await succeed(script, this.mounted), expected);
    return expected;
  }

  /** The folder of that name has the same entries with the same content in both places, but for those that are named. */
  async mustBeEqual(folder: string, ...except: string[]): Promise<void> {
    const [here, there] = [join(this.plain, folder), join(this.mounted, folder)];
    const excluded = except.map((name) => `-x ${name}`).join(' ');
    await succeed(`diff -r --no-dereference ${excluded} ${here} ${there}`, '/');
    const pruned = except.map((name) => `-name ${name} -prune -o`).join(' ');
    const list = `find . ${pruned} -type d -printf '%P %y %m\\n' -o ${pruned} -printf '%P %y %m %n %s %l\\n' | LC_ALL=C sort`;
    assert.equal(await succeed(list, there), await succeed(list, here));
  }

  async close(): Promise<void> {
    await this.cluster.destroy();
  }
}

/** Runs a bash script that must succeed, every command of it; answers what it printed. It is killed with all that it started when it takes too long. */
export async function succeed(script: string, directory: string, limitS = TIME_LIMIT_S): Promise<string> {
  const lines = ['-k', '5', `${limitS}`, 'bash', '--norc', '-c', `set -e -o pipefail\n${script}`];
  const { status, stdout, stderr } = await run('timeout', lines, directory, (limitS + HARD_AFTER_S) * 1000);
  assert.equal(status, 0, `status ${status} of: ${script}\n${stdout.slice(-4000)}${stderr.slice(-4000)}`);
  return stdout;
}
