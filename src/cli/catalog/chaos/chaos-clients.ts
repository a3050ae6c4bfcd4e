// Clients that write and read while the monkey is at work, and note what they did and saw.
import { setTimeout as sleep } from 'node:timers/promises';
import type { CatalogProtocol } from '../../../catalog/catalog.js';
import { CommandFailure } from '../../failure.js';
import { type Answer, CatalogClient } from '../catalog-client.js';
import type { History } from './history.js';

const CLIENTS = 3;
const PATHS = ['/chaos/a', '/chaos/b', '/chaos/c'];
const LONGEST_PAUSE_MS = 60;

export interface ClientParts {
  readonly addresses: readonly string[];
  readonly secret: string | undefined;
  readonly protocol: CatalogProtocol;
  readonly history: History;
  /** 0 up to 1, by the seed. */
  readonly fraction: () => number;
  readonly isOver: () => boolean;
}

/** Makes the paths anew: a version that was there before the run has a value that nobody of it wrote. */
export async function preparePaths(
  { addresses, secret, history }: Pick<ClientParts, 'addresses' | 'secret' | 'history'>,
  run: string,
): Promise<string[]> {
  const client = new CatalogClient(addresses, secret);
  await client.request('POST', '/v1/chaos', '');
  await client.request('POST', `/v1/chaos/${run}`, '');
  const paths = PATHS.map((path) => path.replace('/chaos/', `/chaos/${run}/`));
  for (const path of paths) {
    const beganMs = performance.now();
    const { status, content } = await client.request('POST', `/v1${path}`, '0');
    if (status >= 300) throw new CommandFailure(`${path}: ${String(content.message)}`);
    const version = Number(content.version);
    history.add({ client: -1, path, kind: 'write', value: '0', version, beganMs, endedMs: performance.now() });
  }
  return paths;
}

/** Resolves when all have ended. */
export async function runClients(paths: readonly string[], parts: ClientParts): Promise<void> {
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => runClient(number, paths, parts)));
}

async function runClient(number: number, paths: readonly string[], parts: ClientParts): Promise<void> {
  const { addresses, secret, protocol, history, fraction, isOver } = parts;
  const client = new CatalogClient(addresses, secret);
  client.startAt(number);
  /** A server may say that it answers with less than the client has seen: then the client begins anew. */
  let session = number;
  for (let turn = 1; !isOver(); turn++) {
    await sleep(fraction() * LONGEST_PAUSE_MS);
    if (protocol === 'lazy' || protocol === 'quorum') client.startAt(Math.floor(fraction() * addresses.length));
    // Under lazy nobody puts two writers of a path into one order of versions.
    const place = Math.floor(fraction() * paths.length);
    const path = paths[place] ?? '';
    const isWrite = fraction() < 0.5 && (protocol !== 'lazy' || place === number % paths.length);
    const value = `${number}.${turn}`;
    const beganMs = performance.now();
    const answer = await ask(client, isWrite ? 'PUT' : 'GET', path, isWrite ? value : undefined);
    const common = { client: session, path, beganMs };
    const isDone = answer !== undefined && answer.status < 300;
    if (isDone && typeof answer.content.stale === 'string') {
      session += CLIENTS;
    } else if (isDone) {
      const found = isWrite ? value : String(answer.content.value);
      const version = Number(answer.content.version);
      const kind = isWrite ? 'write' : 'read';
      history.add({ ...common, kind, value: found, version, endedMs: performance.now() });
    } else if (isWrite && answer?.status !== 412) {
      history.add({ ...common, kind: 'write', value, version: null, endedMs: Number.POSITIVE_INFINITY });
    }
  }
}

async function ask(client: CatalogClient, method: string, path: string, body?: string): Promise<Answer | undefined> {
  try {
    return await client.request(method, `/v1${path}`, body);
  } catch (error) {
    if (error instanceof CommandFailure) return undefined;
    throw error;
  }
}
