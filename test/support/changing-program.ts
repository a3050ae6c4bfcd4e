// A program that changes names without end, and notices what fails or is undone.
import { until } from './cluster.js';
import { PythonProgram } from './python-program.js';

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

export interface Seen {
  changes: number;
  appended: number;
  problems: string[];
}

export class ChangingProgram {
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

  /** Whether anything has failed, which ends what it was doing. */
  get isBroken(): boolean {
    return this.#python.lines.some((line) => line !== 'round');
  }

  async finish(): Promise<Seen> {
    await this.#python.finish();
    return JSON.parse(this.#python.lines.at(-1) ?? '') as Seen;
  }

  kill(): Promise<void> {
    return this.#python.kill();
  }
}
