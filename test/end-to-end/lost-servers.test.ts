// The metaserver, or the mediator, is killed again and again under programs
// that change names: nothing fails, nothing is undone, and nothing is carried
// out twice.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'mocha';
import { run, until } from '../support/cluster.js';
import { PythonProgram } from '../support/python-program.js';
import { requireFuse } from '../support/require-fuse.js';
import { SecondMount } from '../support/second-mount.js';

const KILLS = 6;
/** Rounds of changes between two kills. */
const ROUNDS_BETWEEN = 12;
const THREADS = 4;

/**
 * Threads that each change names in a folder of their own. Half of them have each change stored, the others change as fast as
 * they can, so that a crash of the metaserver takes changes that were answered. Prints a line per round; when its input ends,
 * what it has seen. Whatever fails, and whatever is not there after it was answered, is a problem.
 */
const PROGRAM = `
import fcntl, json, os, sys, threading

base, count = sys.argv[1], int(sys.argv[2])
stop = threading.Event()
seen = {'changes': 0, 'appended': 0, 'problems': []}
guard = threading.Lock()

class Folder:
    def __init__(self, path, stores):
        self.path, self.stores, self.names = path, stores, set()
        os.mkdir(path)
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def at(self, name):
        return os.path.join(self.path, name)

    def step(self, what, change, gone=(), new=()):
        try:
            change()
            if self.stores: os.fsync(self.fd)
            self.names = (self.names - set(gone)) | set(new)
            names = set(os.listdir(self.path))
            if names != self.names: raise Exception(f'{sorted(names)} are there instead of {sorted(self.names)}')
        except Exception as error:
            raise Exception(f'{what} in {self.path}: {error}')
        with guard: seen['changes'] += 1

    def create(self, name):
        # The close of a file that it has made stores its name, and what came before.
        if self.stores: os.close(os.open(self.at(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        else: os.mknod(self.at(name), 0o600)

    def round(self):
        at = self.at
        self.step('create a', lambda: self.create('a'), new='a')
        self.step('mkdir d', lambda: os.mkdir(at('d')), new='d')
        self.step('rename a b', lambda: os.rename(at('a'), at('b')), gone='a', new='b')
        self.step('link b c', lambda: os.link(at('b'), at('c')), new='c')
        self.step('symlink s', lambda: os.symlink('target', at('s')), new='s')
        self.step('rename s c', lambda: os.rename(at('s'), at('c')), gone='s')
        self.step('mknod f', lambda: os.mkfifo(at('f')), new='f')
        links = os.stat(at('b')).st_nlink
        if links != 1: raise Exception(f'b has {links} links')
        for name in 'bcf': self.step(f'unlink {name}', lambda: os.unlink(at(name)), gone=name)
        self.step('rmdir d', lambda: os.rmdir(at('d')), gone='d')

def say(line):
    # print() writes a line in pieces.
    with guard: print(line, flush=True)

def work(action):
    try:
        while not stop.is_set():
            action()
            say('round')
    except Exception as error:
        with guard: seen['problems'].append(str(error))
        say(error)

def appending():
    log = os.open(os.path.join(base, 'log'), os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
    def action():
        fcntl.lockf(log, fcntl.LOCK_EX)
        os.write(log, b'%d\\n' % seen['appended'])
        os.fsync(log)
        seen['appended'] += 1
        fcntl.lockf(log, fcntl.LOCK_UN)
    return action

actions = [Folder(os.path.join(base, f'folder{n}'), n % 2 == 0).round for n in range(count)]
if sys.argv[3:] == ['append']: actions.append(appending())
os.fsync(os.open(base, os.O_RDONLY))
threads = [threading.Thread(target=work, args=[action]) for action in actions]
for thread in threads: thread.start()
sys.stdin.read()
stop.set()
for thread in threads: thread.join()
say(json.dumps(seen))
`;

interface Seen {
  changes: number;
  appended: number;
  problems: string[];
}

class ChangingProgram {
  rounds = 0;
  readonly #python: PythonProgram;

  constructor(folder: string, ...options: string[]) {
    this.#python = new PythonProgram(PROGRAM, folder, String(THREADS), ...options);
  }

  async untilRounds(more: number): Promise<void> {
    const least = this.rounds + more;
    await until('changes to go on', async () => {
      this.#python.mustGoOn();
      for (const line of this.#python.lines.splice(0)) {
        if (line !== 'round') throw new Error(line);
        this.rounds++;
      }
      return this.rounds >= least;
    });
  }

  async finish(): Promise<Seen> {
    await this.#python.finish();
    return JSON.parse(this.#python.lines.at(-1) ?? '') as Seen;
  }

  kill(): Promise<void> {
    return this.#python.kill();
  }
}

describe('programs that change names while servers are killed', function () {
  this.timeout(240_000);
  let second: SecondMount;
  let program: ChangingProgram | undefined;

  before(async function () {
    requireFuse(this);
    second = await SecondMount.start();
  });

  afterEach(async () => {
    await program?.kill();
    program = undefined;
  });

  after(async () => {
    await second?.destroy();
  });

  async function killAgainAndAgain(server: string, working: ChangingProgram): Promise<Seen> {
    const { cluster } = second;
    for (let kill = 0; kill < KILLS; kill++) {
      await working.untilRounds(ROUNDS_BETWEEN);
      const pid = await cluster.pidOf(server);
      process.kill(pid, 'SIGKILL');
      await until(
        `${server} to be another process`,
        async () => (await cluster.pidOf(server).catch(() => pid)) !== pid,
      );
    }
    await working.untilRounds(ROUNDS_BETWEEN);
    return working.finish();
  }

  it('go on as if nothing had happened when it is the metaserver', async () => {
    const folder = join(second.cluster.mountPoint, 'first');
    await mkdir(folder);
    program = new ChangingProgram(folder);
    const { problems, changes } = await killAgainAndAgain('meta1', program);
    assert.deepEqual(problems, []);
    assert.ok(changes > KILLS * ROUNDS_BETWEEN);
  });

  it('go on as if nothing had happened when it is the mediator of another process', async () => {
    const folder = join(second.folder, 'second');
    await mkdir(folder);
    program = new ChangingProgram(folder, 'append');
    const { problems, appended } = await killAgainAndAgain('mediator', program);
    assert.deepEqual(problems, []);
    const { stdout } = await run('timeout', ['-k', '5', '50', 'cat', join(folder, 'log')], '/');
    assert.equal(stdout, Array.from({ length: appended }, (_, n) => `${n}\n`).join(''));
  });
});
