import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import { FakeCluster, makeFile } from '../../support/fake-cluster.js';

let cluster: FakeCluster | undefined;

afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
});

/** Bytes in a block of these clusters. */
const BLOCK = 16 * 1024;

const replicas = () => cluster?.replicas ?? [];

async function open(): Promise<{ mediator: Mediator; inode: number }> {
  cluster = await FakeCluster.open({});
  const mediator = await cluster.mediator();
  return { mediator, inode: await makeFile(mediator, 'a') };
}

const text = async ({ files }: Mediator, inode: number) =>
  Buffer.concat((await files.read({ inode, offset: 0, length: 1 << 20 })).pieces).toString();

function append({ files }: Mediator, inode: number, appendedFrom: number, ...parts: string[]) {
  let offset = appendedFrom;
  const extents = parts.map((part) => {
    const extent = { offset, data: Buffer.from(part) };
    offset += part.length;
    return extent;
  });
  return files.write({ inode, extents, appendedFrom, modifyTimeNs: 1n });
}

describe('appending', () => {
  it('puts what several append at once one behind the other, in the order in which it came', async () => {
    const { mediator, inode } = await open();
    const lines = Array.from({ length: 50 }, (_, n) => `line ${n} ${'x'.repeat(n * 40)}\n`);
    await Promise.all(lines.map((line) => append(mediator, inode, 0, line.slice(0, 4), line.slice(4))));
    assert.equal(await text(mediator, inode), lines.join(''));
  });

  it('leaves alone what was not appended, and comes behind it', async () => {
    const { mediator, inode } = await open();
    await append(mediator, inode, 0, '0123456789');
    const extents = [
      { offset: 2, data: Buffer.from('__') },
      { offset: 12, data: Buffer.from('beyond') },
      { offset: 18, data: Buffer.from('appended') },
    ];
    await mediator.files.write({ inode, extents, appendedFrom: 18, modifyTimeNs: 1n });
    assert.equal(await text(mediator, inode), '01__456789\0\0beyondappended');
  });

  it('takes the end from a cut that came before, and is cut by one that comes after', async () => {
    const { mediator, inode } = await open();
    const caller = { uid: 0, gid: 0 };
    const cut = (sizeBytes: number) => mediator.files.setattr({ inode, changes: { sizeBytes }, caller });
    await Promise.all([
      append(mediator, inode, 0, 'before'),
      append(mediator, inode, 0, ' gone'),
      cut(6),
      append(mediator, inode, 11, ', after'),
    ]);
    assert.equal(await text(mediator, inode), 'before, after');
    await cut(0);
    await append(mediator, inode, 13, 'anew');
    assert.equal(await text(mediator, inode), 'anew');
  });

  it('goes on behind the end after one that failed', async () => {
    const { mediator, inode } = await open();
    await append(mediator, inode, 0, 'kept');
    await assert.rejects(
      append(mediator, inode, 2 ** 53, 'no'.repeat(2)).then(() => append(mediator, 99, 0, 'no')),
      {
        code: 'ENOENT',
      },
    );
    await append(mediator, inode, 4, '!');
    assert.equal(await text(mediator, inode), 'keptnono!');
  });

  it('commits no append before those that it comes behind: a mediator that ends leaves no hole', async () => {
    const { mediator, inode } = await open();
    const first = 'a'.repeat(BLOCK);
    let goOn = () => {};
    const waits = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    for (const replica of replicas()) {
      replica.beforePut = (items) => (items.some(({ index }) => index === 0) ? waits : undefined);
    }
    const done: string[] = [];
    const both = [
      append(mediator, inode, 0, first).then(() => done.push('first')),
      append(mediator, inode, BLOCK, 'second').then(() => done.push('second')),
    ];
    await cluster?.runtime.clock.sleep(50);
    assert.deepEqual([done, (await mediator.files.getattr({ inode })).sizeBytes], [[], 0]);
    goOn();
    await Promise.all(both);
    assert.deepEqual(done, ['first', 'second']);
    assert.ok((await text(mediator, inode)) === `${first}second`);
  });

  it('leaves no hole where one failed that others had come behind', async () => {
    const { mediator, inode } = await open();
    await append(mediator, inode, 0, '0'.repeat(BLOCK));
    for (const replica of replicas()) {
      replica.beforePut = async (items) => {
        if (items.some(({ index }) => index === 1)) {
          replica.beforePut = () => undefined;
          throw new ServiceError('FAILED', 'not this one');
        }
      };
    }
    const [first, ...others] = await Promise.allSettled([
      append(mediator, inode, BLOCK, 'x'.repeat(BLOCK)),
      append(mediator, inode, 2 * BLOCK, '1'.repeat(BLOCK)),
      append(mediator, inode, 3 * BLOCK, '2'.repeat(10)),
      append(mediator, inode, 3 * BLOCK + 10, '3'.repeat(BLOCK)),
    ]);
    assert.deepEqual(
      [first?.status, ...others.map(({ status }) => status)],
      ['rejected', ...Array(3).fill('fulfilled')],
    );
    const runs = [...(await text(mediator, inode)).matchAll(/(.)\1*/gs)].map(([{ length }, byte]) => [byte, length]);
    assert.deepEqual(runs, [
      ['0', BLOCK],
      ['1', BLOCK],
      ['2', 10],
      ['3', BLOCK],
    ]);
  });
});
