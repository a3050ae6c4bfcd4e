// Programs that nobody here wrote, over and over on a mount: git, SQLite and tar. Each round checks what it has made.
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../src/runtime/caught-errors.js';
import { succeed } from '../support/programs.js';

/** Some hundred files of ours. */
const TREE = fileURLToPath(new URL('../../src/protocol', import.meta.url));

/** A round meets several faults, each with a pause, on a busy machine. */
const ROUND_LIMIT_S = 400;

const GIT = `
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example
export GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example
if [ $((RANDOM % 5)) = 0 ]; then rm -rf repository; fi
if [ ! -d repository ]; then git init -q -b main repository; fi
cd repository
for n in 1 2; do
  seq $RANDOM > file$n
  git add -A
  git commit -q --allow-empty -m "$RANDOM"
done
git fsck --strict 2>&1
test -z "$(git status --porcelain)"
if [ $((RANDOM % 4)) = 0 ]; then git gc -q; fi
`;

const SQLITE = `
python3 - <<'PROGRAM'
import os, sqlite3
path = 'database'
# SQLite does not say why it can not open a file, and begins with getcwd(3).
os.getcwd()
os.close(os.open(path, os.O_RDWR | os.O_CREAT))
connection = sqlite3.connect(path, timeout=60, isolation_level=None)
run = connection.execute
run('create table if not exists rows(number integer primary key, data text)')
run('pragma synchronous = full')
before = run('select count(*) from rows').fetchone()[0]
for number in range(before, before + 8):
    run('begin immediate')
    run('insert into rows values (?, ?)', (number, str(number) * 200))
    run('commit')
found = run('select number, data from rows order by number').fetchall()
assert found == [(number, str(number) * 200) for number in range(before + 8)], len(found)
assert run('pragma integrity_check').fetchone() == ('ok',)
PROGRAM
`;

const TAR = (plain: string) => `
tar -cf archive.tar -C ${plain} tree
tar -xf archive.tar
diff -r ${plain}/tree tree
rm -r tree archive.tar
`;

export class Workloads {
  readonly rounds: Record<string, number> = {};
  readonly problems: string[] = [];
  #isOver = false;
  readonly #running: Promise<void>[];
  readonly #onProblem: (problem: string) => void;

  private constructor(folder: string, plain: string, onProblem: (problem: string) => void) {
    this.#onProblem = onProblem;
    const scripts = { git: GIT, sqlite: SQLITE, tar: TAR(plain) };
    this.#running = Object.entries(scripts).map(([name, script]) => this.#repeat(name, script, folder));
  }

  /** @param folder on a mount @param plain elsewhere */
  static async start(folder: string, plain: string, onProblem: (problem: string) => void): Promise<Workloads> {
    await cp(TREE, join(plain, 'tree'), { recursive: true });
    return new Workloads(folder, plain, onProblem);
  }

  /** Resolves when the rounds that are under way have ended. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async #repeat(name: string, script: string, folder: string): Promise<void> {
    this.rounds[name] = 0;
    try {
      while (!this.#isOver) {
        await succeed(script, folder, ROUND_LIMIT_S);
        this.rounds[name]++;
      }
    } catch (error) {
      const problem = `${name}: ${messageOf(error)}`;
      this.problems.push(problem);
      this.#onProblem(problem);
    }
  }
}
