// A mediator over fake servers, for the tests of this folder, and short ways to use its files. After each test the
// clusters that it has opened are closed.
import assert from 'node:assert/strict';
import { afterEach } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import type { Attributes } from '../../../src/protocol/services/files.js';
import { SeededRandom } from '../../simulation/world/seeded-random.js';
import { eventually, FakeCluster, type FakeClusterOptions, makeFile } from '../../support/fake-cluster.js';
import type { FaultyReplica } from '../../support/faulty-replica.js';

/** Bytes in a block of these clusters. */
export const BLOCK = 16 * 1024;
export const CALLER = { uid: 0, gid: 0 };

const clusters: FakeCluster[] = [];
/** NMRFS_TEST_SEED=N takes up what a failed test has printed. */
/** Of everything that is left to chance. */
const seed = Number(process.env.NMRFS_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));

afterEach(async function () {
  if (this.currentTest?.state === 'failed') console.error(`      seed: NMRFS_TEST_SEED=${seed}`);
  await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
});

export async function openCluster(
  options: FakeClusterOptions = {},
): Promise<{ cluster: FakeCluster; mediator: Mediator }> {
  const cluster = await FakeCluster.open({ seed: seed + clusters.length, ...options });
  clusters.push(cluster);
  return { cluster, mediator: await cluster.mediator() };
}

const random = new SeededRandom(seed);

/** A whole number from 0, below the bound. */
export function below(bound: number): number {
  return Math.floor(random.fraction() * bound);
}

export function randomBytes(count: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(count / 4) * 4);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(random.word(), at);
  return bytes.subarray(0, count);
}

/** The same with a file `a`. */
export async function openWithFile(): Promise<{ cluster: FakeCluster; mediator: Mediator; inode: number }> {
  const opened = await openCluster();
  return { ...opened, inode: await makeFile(opened.mediator, 'a') };
}

/** How many calls of that name have reached the metaserver. */
export function calls({ metadataCalls }: FakeCluster, name: string): number {
  return metadataCalls.get(name) ?? 0;
}

/** @param truncateTo the size that the file is cut or extended to before */
export async function write(
  { files }: Mediator,
  inode: number,
  offset: number,
  data: Uint8Array | string,
  truncateTo?: number,
): Promise<Attributes> {
  const request = { inode, extents: [{ offset, data: Buffer.from(data) }], modifyTimeNs: 1n };
  return files.write(truncateTo === undefined ? request : { ...request, truncateTo });
}

export async function read({ files }: Mediator, inode: number, offset = 0, length = 1 << 20): Promise<Buffer> {
  return Buffer.concat((await files.read({ inode, offset, length })).pieces);
}

export async function text(mediator: Mediator, inode: number, offset?: number, length?: number): Promise<string> {
  return (await read(mediator, inode, offset, length)).toString();
}

export async function assertEqualReplicas({ replicas }: FakeCluster): Promise<void> {
  const [first, ...others] = await Promise.all(replicas.map((replica) => replica.contents()));
  for (const other of others) assert.deepEqual(other, first);
}

/** Resolves when each of these servers holds so many versions. */
export async function untilEachHolds(replicas: readonly FaultyReplica[], count: number): Promise<void> {
  await eventually(async () => {
    const held = await Promise.all(replicas.map((replica) => replica.versions()));
    return held.every(({ length }) => length === count);
  });
}
