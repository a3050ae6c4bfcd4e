import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { CallOptions } from '../../../src/protocol/services/service.js';
import { SESSION_GRACE_MS } from '../../../src/protocol/services/sessions.js';
import { eventually, makeFile } from '../../support/fake-cluster.js';
import { CALLER, openCluster, text, untilEachHolds, write } from './fixture.js';

const NAME = { parent: ROOT_INODE, name: 'a' };

/** A mediator after its first moments, with two mounts. */
async function twoMounts() {
  const { cluster, mediator } = await openCluster();
  cluster.runtime.clock.jump(2 * SESSION_GRACE_MS);
  const join = async (client: string) => {
    const options = { peer: {} };
    await mediator.sessions.begin({ client, open: [], locks: [], mediator: null }, options);
    return options;
  };
  return { cluster, mediator, here: await join('here'), there: await join('there') };
}

describe('a name that goes while its file is open', () => {
  for (const holder of ['the mount that takes it', 'another mount']) {
    it(`leaves the content to ${holder}, whatever is collected before the answer`, async () => {
      const { cluster, mediator, here, there } = await twoMounts();
      const inode = await makeFile(mediator, 'a');
      await write(mediator, inode, 0, 'held');
      await makeFile(mediator, 'b');
      await mediator.files.open({ inode, forWriting: false }, holder === 'another mount' ? there : here);
      cluster.kills.push({
        under: 'unlink',
        when: 'after',
        meanwhile: async () => {
          const looks = cluster.metadataCalls.get('orphans') ?? 0;
          await mediator.files.setattr({ inode, changes: { sizeBytes: 4 }, caller: CALLER });
          await eventually(() => (cluster.metadataCalls.get('orphans') ?? 0) > looks);
          await cluster.runtime.clock.sleep(20);
        },
      });
      await mediator.files.unlink({ ...NAME, held: holder === 'another mount' ? [] : [inode] }, here);
      assert.equal(await text(mediator, inode), 'held');
      await mediator.files.release({ inode }, there);
      await mediator.files.release({ inode }, here);
      await untilEachHolds(cluster.replicas, 0);
    });
  }

  it('leaves the content to a mount that had it open before the mediator was started, and says so later', async () => {
    const { mediator } = await openCluster();
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'held');
    await mediator.files.unlink({ ...NAME, held: [] }, { peer: {} });
    await mediator.sessions.begin({ client: 'late', open: [inode], locks: [], mediator: 'before' }, { peer: {} });
    assert.equal(await text(mediator, inode), 'held');
  });

  it('leaves the content to a mount that opens it after that, while it is not known who holds it', async () => {
    const { cluster, mediator } = await openCluster();
    const here = { peer: {} };
    // Its session outlives the time in which the mounts of before may come.
    cluster.runtime.clock.jump(SESSION_GRACE_MS / 2);
    await mediator.sessions.begin({ client: 'here', open: [], locks: [], mediator: null }, here);
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'held');
    await mediator.files.unlink({ ...NAME, held: [] }, { peer: {} });
    await mediator.files.open({ inode, forWriting: false }, here);
    const purges = () => cluster.metadataCalls.get('orphans') ?? 0;
    const before = purges();
    await eventually(() => purges() > before);
    assert.equal(await text(mediator, inode), 'held');
    await mediator.files.release({ inode }, here);
    await untilEachHolds(cluster.replicas, 0);
  });

  it('leaves the content to a mount that comes back after another one that had it open, too, has closed it', async () => {
    const { cluster, mediator } = await openCluster();
    const [soon, late] = [{ peer: {} }, { peer: {} }];
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'held');
    await mediator.sessions.begin({ client: 'soon', open: [inode], locks: [], mediator: 'before' }, soon);
    await mediator.files.unlink({ ...NAME, held: [inode] }, soon);
    await mediator.files.release({ inode }, soon);
    await mediator.sessions.begin({ client: 'late', open: [inode], locks: [], mediator: 'before' }, late);
    assert.equal(await text(mediator, inode), 'held');
    cluster.runtime.clock.jump(SESSION_GRACE_MS);
    await mediator.files.release({ inode }, late);
    await untilEachHolds(cluster.replicas, 0);
  });

  it('leaves the file to the mount that is making it just now', async () => {
    const { mediator, here, there } = await twoMounts();
    const request = { ...NAME, mode: 0o644, exclusive: true, forWriting: false, caller: CALLER };
    const making = mediator.files.create(request, here);
    const removing = mediator.files.unlink({ ...NAME, held: [] }, there);
    const { inode } = (await making).attributes;
    await removing;
    await write(mediator, inode, 0, 'open');
    assert.equal(await text(mediator, inode), 'open');
  });

  /** The request is carried out and answered when its caller has gone: it is told of that by its signal. */
  const given: Readonly<Record<string, (mediator: Mediator, options: CallOptions) => Promise<unknown>>> = {
    'made with a name': async ({ files }, options) => {
      const request = { ...NAME, mode: 0o644, exclusive: true, forWriting: true, caller: CALLER };
      const { inode } = (await files.create(request, options)).attributes;
      await files.write({ inode, extents: [{ offset: 0, data: Buffer.from('made') }], modifyTimeNs: 0n });
      await files.unlink({ ...NAME, held: [] });
    },
    'made without a name': async ({ files }, options) => {
      await files.createUnnamed({ parent: ROOT_INODE, mode: 0o644, forWriting: true, caller: CALLER }, options);
    },
    'that lost its name': async (mediator, options) => {
      const inode = await makeFile(mediator, 'a');
      await write(mediator, inode, 0, 'closed since');
      await mediator.files.unlink({ ...NAME, held: [inode] }, options);
    },
  };
  for (const [what, make] of Object.entries(given)) {
    it(`does not stay for a mount that never heard of the answer: a file ${what}`, async () => {
      const { cluster, mediator, here } = await twoMounts();
      const { files } = await mediator.files.statfs({});
      await make(mediator, { ...here, signal: AbortSignal.abort() });
      await eventually(() => mediator.kept().heldFiles === 0 && mediator.kept().sessionFiles === 0);
      await eventually(async () => (await mediator.files.statfs({})).files === files);
      await untilEachHolds(cluster.replicas, 0);
    });
  }
});
