// A mediator over fake servers, for the tests of this folder, and short ways to use its files. After each test the
// clusters that it has opened are closed.
import assert from 'node:assert/strict';
import { afterEach } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import type { Attributes } from '../../../src/protocol/services/files.js';
import { FakeCluster, type FakeClusterOptions, makeFile } from '../../support/fake-cluster.js';

/** Bytes in a block of these clusters. */
export const BLOCK = 16 * 1024;
export const CALLER = { uid: 0, gid: 0 };

const clusters: FakeCluster[] = [];

afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
});

export async function openCluster(
  options: FakeClusterOptions = {},
): Promise<{ cluster: FakeCluster; mediator: Mediator }> {
  const cluster = await FakeCluster.open(options);
  clusters.push(cluster);
  return { cluster, mediator: await cluster.mediator() };
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

export function assertEqualReplicas({ replicas }: FakeCluster): void {
  for (const replica of replicas) assert.deepEqual(replica.contents(), replicas[0]?.contents(), replica.name);
}
