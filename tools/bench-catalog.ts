// npm run bench-catalog: a catalog of three servers beside an etcd of three on the same machine: updates and reads a second, and how long
// one takes. Both are asked by HTTP and JSON, over connections that stay open, with values of 100 bytes.
import { Agent, request } from 'node:http';
import { Command, Option } from 'commander';
import { wholeNumber } from '../src/cli/commands/options.js';
import { CatalogProcesses } from '../test/support/catalog-processes.js';
import { Etcd } from '../test/support/etcd.js';
import { layOut, median } from './bench/table.js';

const VALUE = Buffer.alloc(100, 'v');
const KEYS = 16;

const command = new Command('bench-catalog')
  .description(
    'A catalog of three servers beside an etcd of three: updates and reads a second, and how long one takes.',
  )
  .option('--rounds <number>', 'of which the medians count', wholeNumber(1), 3)
  .option('--seconds <number>', 'how long each measurement', wholeNumber(1), 3)
  .addOption(new Option('--protocol <protocol>', 'of the catalog').choices(['raft', 'viewstamped']).default('raft'));

interface Arguments {
  rounds: number;
  seconds: number;
  protocol: 'raft' | 'viewstamped';
}

const given: Arguments = command.parse().opts();

interface Contender {
  readonly name: string;
  write(key: number): Promise<void>;
  read(key: number): Promise<void>;
}

interface Figures {
  readonly rate: number;
  readonly medianMs: number;
  readonly worstMs: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function ask(address: string, method: string, path: string, body?: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    const [host, port] = address.split(':');
    const sent = request({ agent, host, port: Number(port), method, path }, (response) => {
      response.resume();
      response.on('end', () => {
        if ((response.statusCode ?? 500) < 300) resolve();
        else reject(new Error(`${method} ${path}: ${response.statusCode}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function catalogContender(catalog: CatalogProcesses): Promise<Contender> {
  let leader = catalog.servers[0]?.address ?? '';
  for (const { address } of catalog.servers) {
    const status = (await (await fetch(`http://${address}/status`)).json()) as { role: string };
    if (status.role === 'leader') leader = address;
  }
  for (let key = 0; key < KEYS; key++) await ask(leader, 'POST', `/v1/k${key}`, VALUE);
  return {
    name: `catalog, ${given.protocol}`,
    write: (key) => ask(leader, 'PUT', `/v1/k${key}`, VALUE),
    read: (key) => ask(leader, 'GET', `/v1/k${key}?raw`),
  };
}

async function etcdContender(etcd: Etcd): Promise<Contender> {
  const leader = await etcd.leaderEndpoint();
  const address = leader.replace('http://', '');
  const keyOf = (key: number) => Buffer.from(`k${key}`).toString('base64');
  const value = VALUE.toString('base64');
  return {
    name: 'etcd',
    write: (key) => ask(address, 'POST', '/v3/kv/put', JSON.stringify({ key: keyOf(key), value })),
    read: (key) => ask(address, 'POST', '/v3/kv/range', JSON.stringify({ key: keyOf(key) })),
  };
}

async function measure(action: (key: number) => Promise<void>, clients: number): Promise<Figures> {
  const endMs = performance.now() + given.seconds * 1000;
  const times: number[] = [];
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let turn = client; performance.now() < endMs; turn++) {
        const beganMs = performance.now();
        await action(turn % KEYS);
        times.push(performance.now() - beganMs);
      }
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  times.sort((one, other) => one - other);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  return { rate: times.length / seconds, medianMs: at(0.5), worstMs: at(0.99) };
}

const catalog = await CatalogProcesses.start(3, [`protocol: ${given.protocol}`, 'logLevel: warn']);
const etcd = await Etcd.start(3);
try {
  const contenders = [await catalogContender(catalog), await etcdContender(etcd)];
  const rows: string[][] = [];
  // A fresh process runs its first thousands of requests several times slower than the rest.
  for (const { write, read } of contenders) {
    await measure(write, 16);
    await measure(read, 16);
  }
  for (const what of ['write', 'read'] as const) {
    for (const clients of [1, 16]) {
      const rounds = contenders.map((): Figures[] => []);
      for (let round = 0; round < given.rounds; round++) {
        // In turns, so that a busy machine is as busy for each.
        for (const [at, contender] of contenders.entries()) rounds[at]?.push(await measure(contender[what], clients));
      }
      for (const [at, { name }] of contenders.entries()) {
        const of = (figure: keyof Figures) => median((rounds[at] ?? []).map((figures) => figures[figure]));
        const clientsText = `${clients} ${clients === 1 ? 'client' : 'clients'}`;
        rows.push([
          name,
          `${what}s, ${clientsText}`,
          of('rate').toFixed(0),
          of('medianMs').toFixed(2),
          of('worstMs').toFixed(2),
        ]);
      }
    }
  }
  process.stdout.write(`${layOut([['', '', 'per second', 'median ms', '99 % ms'], ...rows])}\n`);
} finally {
  agent.destroy();
  await catalog.remove();
  await etcd.remove();
}
