// Clients that read and write registers on the mounts of several hosts, and what they saw: each register's history must be
// linearizable. One kind of register is the content of a file, by O_DIRECT
// and O_DSYNC; the other is which file has a name, by rename and stat.
import { PythonProgram } from '../support/python-program.js';
import { checkRegister, type RegisterOperation } from './linearizability.js';

const THREADS = 2;
const REGISTERS_OF_A_KIND = 2;
/** Histories stay short: after so many seconds the clients go on with new registers. */
const PERIOD_S = 20;
const NOTHING_WRITTEN = 0;
const LONGEST_NAMED = 8;

/**
 * Prints an operation a line: register, kind, value, time of the call and of the answer in nanoseconds. Values differ between all
 * writes. Ends with its input.
 */
const PROGRAM = `
import json, mmap, os, random, sys, threading, time

base, seed, number, clients = sys.argv[1], *map(int, sys.argv[2:5])
SIZE = 4096
stop = threading.Event()
guard = threading.Lock()
now = time.monotonic_ns

def say(*words):
    with guard: print(json.dumps(words), flush=True)

class Content:
    def __init__(self, path, own):
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT | os.O_DSYNC, 0o600)
        os.ftruncate(self.fd, SIZE)
        self.page = mmap.mmap(-1, SIZE)
    def prepare(self, value): self.page[:] = value.to_bytes(8, 'big') * (SIZE // 8)
    def write(self, value):
        if os.pwritev(self.fd, [self.page], 0) != SIZE: raise Exception('a short write')
    def read(self):
        if os.preadv(self.fd, [self.page], 0) != SIZE: raise Exception('a short read')
        found = {self.page[at:at + 8] for at in range(0, SIZE, 8)}
        if len(found) != 1: raise Exception(f'a mixture of {sorted(found)}')
        return int.from_bytes(found.pop(), 'big')
    def close(self): os.close(self.fd)

class Name:
    def __init__(self, path, own): self.path, self.own = path, f'{path}.{own}'
    def prepare(self, value):
        fd = os.open(self.own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(fd, value)
        os.close(fd)
    def write(self, value): os.rename(self.own, self.path)
    def read(self):
        try: return os.stat(self.path).st_size
        except FileNotFoundError: return 0
    def close(self): pass

KINDS = {'content': Content, 'name': Name}

def work(thread):
    chance = random.Random(seed * 1000 + thread)
    value, step = thread + 1, clients * ${THREADS}
    opened, period = {}, None
    name = ''
    try:
        while not stop.is_set():
            if period != now() // (${PERIOD_S} * 10**9):
                for register in opened.values(): register.close()
                opened, period = {}, now() // (${PERIOD_S} * 10**9)
            name = f'{chance.choice(list(KINDS))}-{period}-{chance.randrange(${REGISTERS_OF_A_KIND})}'
            if name not in opened: opened[name] = KINDS[name.split('-')[0]](os.path.join(base, name), thread)
            register = opened[name]
            if chance.random() < 0.4:
                register.prepare(value)
                called = now()
                register.write(value)
                say(name, 'write', value, called, now())
                value += step
            else:
                called = now()
                found = register.read()
                say(name, 'read', found, called, now())
            time.sleep(chance.random() * 0.03)
    except Exception as error:
        say('problem', f'{name}: {error}')

threads = [threading.Thread(target=work, args=[number * ${THREADS} + n]) for n in range(${THREADS})]
for thread in threads: thread.start()
sys.stdin.read()
stop.set()
for thread in threads: thread.join()
`;

export interface RegisterReport {
  operations: number;
  registers: number;
  problems: string[];
  /** The operations that took longest, when they began in seconds since the start, and how long they took. */
  longest: { kind: 'read' | 'write'; register: string; atSeconds: number; ms: number }[];
}

export class Registers {
  readonly #programs: PythonProgram[];
  /** Of the programs' clock. */
  readonly #startNs = Number(process.hrtime.bigint());

  /** @param folders the same folder, on each client's mount */
  constructor(folders: readonly string[], seed: number) {
    this.#programs = folders.map(
      (folder, number) => new PythonProgram(PROGRAM, folder, String(seed), String(number), String(folders.length)),
    );
  }

  /** Whether any client has had a problem, which ends it. */
  get isBroken(): boolean {
    return this.#programs.some(({ lines }) => lines.some((line) => line.startsWith('["problem"')));
  }

  async finish(): Promise<RegisterReport> {
    const histories = new Map<string, RegisterOperation[]>();
    const problems: string[] = [];
    for (const program of this.#programs) {
      await program.finish();
      for (const line of program.lines) {
        const [register, ...rest] = JSON.parse(line) as [string, ...unknown[]];
        if (register === 'problem') {
          problems.push(String(rest[0]));
          continue;
        }
        const [kind, value, called, returned] = rest as ['read' | 'write', number, number, number];
        const history = histories.get(register) ?? [];
        history.push({ kind, value, called, returned });
        histories.set(register, history);
      }
    }
    for (const [register, history] of histories) {
      const { isLinearizable, stuck } = checkRegister(history, NOTHING_WRITTEN);
      if (!isLinearizable) problems.push(`${register} is not linearizable: ${stuck.map(inWords).join('; ')}`);
    }
    const all = [...histories].flatMap(([register, history]) => history.map((each) => ({ register, ...each })));
    const longest = all
      .sort((one, other) => other.returned - other.called - (one.returned - one.called))
      .slice(0, LONGEST_NAMED)
      .map(({ kind, register, called, returned }) => ({
        kind,
        register,
        atSeconds: Math.round((called - this.#startNs) / 1e8) / 10,
        ms: Math.round((returned - called) / 1e6),
      }));
    return { operations: all.length, registers: histories.size, problems, longest };
  }

  async kill(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
  }
}

function inWords({ kind, value, called, returned }: RegisterOperation): string {
  return `${kind} ${value} from ${called / 1e6} to ${returned / 1e6} ms`;
}
