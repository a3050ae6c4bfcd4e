// Clients that read and write while servers are killed, stopped and cut off, by a seed; then all is well again, and it is checked what the
// protocol promises.
import assert from 'node:assert/strict';
import type { Catalog } from '../../../src/catalog/catalog.js';
import { CatalogError } from '../../../src/catalog/map/errors.js';
import { History } from '../../../src/cli/catalog/chaos/history.js';
import { type CatalogHost, CatalogWorld, type CatalogWorldOptions } from './catalog-world.js';
import { Client, wasUndone } from './client.js';

export type Fault = 'kill' | 'power' | 'stop' | 'split' | 'one way' | 'slow';

export interface ChaosOptions {
  protocol: Catalog['protocol'];
  seed: number;
  /** Those that the protocol promises to survive. */
  faults: readonly Fault[];
  rounds: number;
  /** Clients that bring no timestamps along. */
  isForgetful?: boolean;
  config?: CatalogWorldOptions['config'];
}

export const GOSSIP_MS = 400;
const CLIENTS = 3;
const PATHS = ['/a', '/b', '/c'];
const ROUND_MS = 700;
const SLOWNESS_US = 60_000;

export async function runChaos({
  protocol,
  seed,
  faults,
  rounds,
  isForgetful = false,
  config,
}: ChaosOptions): Promise<History> {
  const servers = protocol === 'quorum' ? 3 : 3 + (seed % 3);
  const world = new CatalogWorld({ seed, protocol, servers, config: { gossipMs: GOSSIP_MS, ...config } });
  const history = new History();
  try {
    world.start();
    const first = new Client(world);
    for (const path of PATHS) {
      const value = new TextEncoder().encode('0');
      const beganMs = world.nowMs;
      const { version } = await first.change({ kind: 'put', path, value });
      history.add({ client: -1, path, kind: 'write', value: '0', version, beganMs, endedMs: world.nowMs });
    }
    let isOver = false;
    const isEnded = () => isOver;
    const clients = Array.from({ length: CLIENTS }, (_, number) =>
      work({ world, history, number, protocol, isEnded, isForgetful, seen: first.timestamp }),
    );
    for (let round = 0; round < rounds; round++) {
      await harm(world, world.random.pick(faults));
      await world.run(world.random.between(ROUND_MS / 4, ROUND_MS));
      world.restoreAll();
      await world.run(world.random.between(ROUND_MS / 4, ROUND_MS));
    }
    isOver = true;
    await world.settle('the clients end', Promise.all(clients), 60_000);
    await world.run(2 * GOSSIP_MS + 1500);
    check(protocol, world, history);
    return history;
  } catch (error) {
    throw new Error(`${protocol}, seed ${seed}: ${String(error)}\n${world.story}`, { cause: error });
  } finally {
    world.end();
  }
}

function check(protocol: Catalog['protocol'], world: CatalogWorld, history: History): void {
  assert.deepEqual(history.problems(protocol), []);
  for (const path of PATHS) {
    const versions = world.servers.map(({ running }) => running?.catalog.versionHere(path) ?? -1);
    assert.equal(new Set(versions).size, 1, `convergence: ${path} has versions ${versions.join()}`);
    // One server alone has acknowledged what lazy answers: that may be lost with the power.
    if (protocol === 'lazy') continue;
    const acknowledged = history.acknowledged.get(path) ?? 0;
    assert(
      (versions[0] ?? 0) >= acknowledged,
      `durability: ${path} has version ${versions[0]}, and ${acknowledged} was answered`,
    );
  }
}

async function harm(world: CatalogWorld, fault: Fault): Promise<void> {
  const few = someOf(world, Math.ceil(world.servers.length / 2) - 1);
  const [one = assert.fail('a world has servers')] = someOf(world, 1);
  switch (fault) {
    case 'kill':
      for (const { host } of few) host.kill();
      break;
    case 'power':
      for (const { host } of few) host.cutPower();
      break;
    case 'stop':
      for (const { host } of few) host.process?.stop();
      break;
    case 'split':
      world.split(few);
      break;
    case 'one way':
      world.split([one], true);
      break;
    case 'slow':
      for (const other of world.servers) if (other !== one) world.network.slow(one.name, other.name, SLOWNESS_US);
  }
}

function someOf(world: CatalogWorld, most: number): CatalogHost[] {
  const left = [...world.servers];
  const count = world.random.between(1, Math.max(1, most));
  return Array.from({ length: count }, () => left.splice(world.random.between(0, left.length - 1), 1)).flat();
}

interface WorkParts {
  world: CatalogWorld;
  history: History;
  number: number;
  protocol: Catalog['protocol'];
  isEnded: () => boolean;
  isForgetful: boolean;
  seen: string | undefined;
}

/** One client, which writes a path of its own under lazy: there nobody puts two writers into one order of versions. */
async function work({ world, history, number, protocol, isEnded, isForgetful, seen }: WorkParts): Promise<void> {
  const client = new Client(world, number);
  client.timestamp = seen;
  const random = world.random.fork();
  for (let turn = 0; !isEnded(); turn++) {
    await pause(world, random.between(5, 60));
    if (isForgetful) client.timestamp = undefined;
    // Where nobody leads, clients go from one server to another.
    if ((protocol === 'lazy' || protocol === 'quorum') && random.chance(0.3)) client.next();
    const path = random.pick(PATHS);
    const isWrite = random.chance(0.5) && (protocol !== 'lazy' || path === PATHS[number]);
    const value = `${number}.${turn}`;
    const beganMs = world.nowMs;
    const operation = { client: number, path, beganMs };
    try {
      if (isWrite) {
        const command = { kind: 'put', path, value: new TextEncoder().encode(value) } as const;
        const { version } = await limited(
          world,
          client.once((catalog, asker) => catalog.change(command, asker)),
        );
        history.add({ ...operation, kind: 'write', value, version, endedMs: world.nowMs });
      } else {
        const found = await limited(
          world,
          client.once((catalog, asker) => catalog.get(path, asker)),
        );
        // It says itself that it may be older.
        if (found.stale !== undefined) continue;
        const text = new TextDecoder().decode(found.bytes);
        history.add({ ...operation, kind: 'read', value: text, version: found.version, endedMs: world.nowMs });
      }
    } catch (error) {
      if (!(error instanceof CatalogError)) throw error;
      if (isWrite && !wasUndone(error) && error.code !== 'VERSION') {
        history.add({ ...operation, kind: 'write', value, version: null, endedMs: Number.POSITIVE_INFINITY });
      }
      client.next();
    }
  }
}

const PATIENCE_MS = 1500;

/** A client that gets no answer for so long asks another server. */
function limited<T>(world: CatalogWorld, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = world.after(PATIENCE_MS, () => reject(new CatalogError('OUTCOME_UNKNOWN', 'no answer in time')));
    answer.then(resolve, reject).finally(() => timer.cancel());
  });
}

function pause(world: CatalogWorld, ms: number): Promise<void> {
  return new Promise((resolve) => {
    world.after(ms, resolve);
  });
}
