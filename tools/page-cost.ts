// npm run page-cost   what those who look at the page cost: the mediator's
// processor while nothing happens, and a reader's speed beside a hundred of them.
import { readFile } from 'node:fs/promises';
import { type ClientRequest, get } from 'node:http';
import { Cluster } from '../test/support/cluster.js';

const IDLE_S = 30;
const ROUNDS = 11;
const MANY = 100;
/** Of a clock tick in /proc/PID/stat. */
const TICK_MS = 10;
const MEBIBYTES = 40;
/** Reads the file around the kernel's cache for some seconds; prints MB/s. */
const READER = `python3 - <<'END'
import mmap, os, time
file = os.open('read.bin', os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 1 << 20)
start, total = time.time(), 0
while time.time() - start < 4:
    os.lseek(file, 0, 0)
    for _ in range(${MEBIBYTES}):
        total += os.readv(file, [buffer])
print(total / 1e6 / (time.time() - start))
END`;

function look(address: string, count: number): ClientRequest[] {
  return Array.from({ length: count }, () =>
    get(`http://${address}/page/live`, (reply) => {
      // Nobody answers for a reply that is cut off at the end.
      reply.on('error', () => {});
      reply.resume();
    }).on('error', () => {}),
  );
}

async function busyMs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function idle(pid: number, address: string, viewers: number): Promise<void> {
  const looking = look(address, viewers);
  await pause(3);
  const before = await busyMs(pid);
  await pause(IDLE_S);
  const share = (await busyMs(pid)) - before;
  for (const each of looking) each.destroy();
  say(`${viewers} viewers, nothing happens: ${(share / IDLE_S / 10).toFixed(2)} % of a core`);
}

async function reading(cluster: Cluster, address: string): Promise<void> {
  const speeds: [alone: number[], beside: number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const viewers of [0, MANY]) {
      const looking = look(address, viewers);
      await pause(2);
      const { stdout } = await cluster.shell(READER);
      for (const each of looking) each.destroy();
      speeds[viewers === 0 ? 0 : 1].push(Number(stdout));
    }
  }
  const [alone, beside] = speeds.map((each) => each.toSorted((one, other) => one - other)[Math.floor(ROUNDS / 2)] ?? 0);
  say(
    `a reader: ${alone?.toFixed(0)} MB/s alone, ${beside?.toFixed(0)} MB/s beside ${MANY} viewers (medians of ${ROUNDS})`,
  );
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const cluster = await Cluster.start({ servers: 5 });
try {
  const { mediator } = await cluster.status();
  const pid = await cluster.pidOf('mediator');
  await cluster.shell(`head -c ${MEBIBYTES * 1024 * 1024} /dev/urandom > read.bin`);
  await pause(10);
  for (const viewers of [0, 1, MANY]) await idle(pid, mediator.address, viewers);
  await cluster.shell(READER);
  await reading(cluster, mediator.address);
} finally {
  await cluster.destroy();
}
