// The metaserver and the mediator are killed at the same moment under a program
// that changes names: what it was answered last may be gone. Then every fsync
// that answers for it says so, once, and everything else goes on.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { PythonProgram } from '../support/python-program.js';
import { requireFuse } from '../support/require-fuse.js';
import { SecondMount } from '../support/second-mount.js';

/** The metaserver may just have stored everything when it is killed; that often in a row is a failure of this test. */
const MOST_ROUNDS = 8;
const ROUNDS_WITH_LOSS = 3;

/**
 * For each line of input a round in a new folder of that name: changes names in it without an fsync until the next line, says
 * when it has begun, and at the end what it has seen. Where it waits meanwhile, it goes on when the servers are back.
 */
const PROGRAM = `
import errno, json, os, sys, threading

base = sys.argv[1]
ENOUGH = 100

def sync(fd):
    try:
        os.fsync(fd)
        return 'stored'
    except OSError as error:
        return errno.errorcode[error.errno]

def together(actions):
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

def sync_at_once(fds):
    ready, results = threading.Barrier(len(fds)), {}
    def work(fd):
        ready.wait()
        results[fd] = sync(fd)
    together([lambda fd=fd: work(fd) for fd in fds])
    return [results[fd] for fd in fds]

def round(folder):
    os.mkdir(folder)
    unchanged = os.open(base, os.O_RDONLY)
    os.fsync(unchanged)
    fds = [os.open(folder, os.O_RDONLY) for _ in range(2)]
    names, begun, stop = [], threading.Event(), threading.Event()
    def change():
        while not stop.is_set():
            name = str(len(names))
            os.mkfifo(os.path.join(folder, name))
            names.append(name)
            if len(names) == ENOUGH: begun.set()
    def talk():
        begun.wait()
        print('begun', flush=True)
        sys.stdin.readline()
        stop.set()
    together([change, talk])
    there = set(os.listdir(folder))
    seen = {'gone': [name for name in names if name not in there]}
    seen['open'] = sync_at_once(fds)
    seen['openAgain'] = sync_at_once(fds)
    since = os.open(folder, os.O_RDONLY)
    seen['since'] = [sync(since), sync(since)]
    seen['unchanged'] = sync(unchanged)
    os.mkfifo(os.path.join(folder, 'last'))
    seen['last'] = [sync(fds[0]), sorted(set(os.listdir(folder)) - there)]
    for fd in [*fds, since, unchanged]: os.close(fd)
    print(json.dumps(seen), flush=True)

while line := sys.stdin.readline(): round(os.path.join(base, line.strip()))
`;

interface Seen {
  gone: string[];
  /** What an fsync of each of two descriptors came to that were open on the changed folder, both at once, and the next one. */
  open: string[];
  openAgain: string[];
  /** Of a descriptor that was opened after the crash, twice. */
  since: string[];
  /** Of a descriptor on another folder. */
  unchanged: string;
  /** Of a change afterwards, and what it has made. */
  last: [string, string[]];
}

describe('a program that changes names while the metaserver and the mediator are killed together', function () {
  this.timeout(240_000);
  let second: SecondMount;
  let program: PythonProgram | undefined;

  before(async function () {
    requireFuse(this);
    second = await SecondMount.start();
  });

  after(async () => {
    await program?.kill();
    await second?.destroy();
  });

  async function crashUnder(working: PythonProgram, round: number): Promise<Seen> {
    const pids = [await second.cluster.pidOf('meta1'), await second.cluster.pidOf('mediator')];
    working.tell(`folder${round}`);
    assert.equal(await working.hear(), 'begun');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    working.tell('stop');
    return JSON.parse(await working.hear()) as Seen;
  }

  it('is told by one fsync of each descriptor when something is gone that it was answered', async () => {
    program = new PythonProgram(PROGRAM, second.folder);
    let losses = 0;
    for (let round = 0; losses < ROUNDS_WITH_LOSS; round++) {
      assert.ok(round < MOST_ROUNDS, 'hardly ever was anything lost');
      const { gone, ...seen } = await crashUnder(program, round);
      const isTold = seen.open.includes('EIO');
      if (gone.length > 0) {
        losses++;
        assert.ok(isTold, `nobody was told that ${gone} are gone`);
      }
      // Where nothing is gone nobody needs to be told, but may be: all, or nobody.
      const first = isTold ? 'EIO' : 'stored';
      assert.deepEqual(seen, {
        open: [first, first],
        openAgain: ['stored', 'stored'],
        since: [first, 'stored'],
        unchanged: 'stored',
        last: ['stored', ['last']],
      });
    }
  });
});
