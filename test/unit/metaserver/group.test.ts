// Several metaservers: they find each other, one leads, and what was stored is there whoever leads.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { GroupMetaserver } from '../../../src/metaserver/group/group-metaserver.js';
import { type RunningMetaserver, runMetaserver } from '../../../src/metaserver/main.js';
import { checkedRows } from '../../../src/metaserver/storage/checked-rows.js';
import { lmdbEngine } from '../../../src/metaserver/storage/lmdb-engine.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import { decodeProgress, encodeProgress, PROGRESS_KEY } from '../../../src/metaserver/storage/progress.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { GroupService, GroupStatus } from '../../../src/protocol/services/group.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import { connectRemote, type Remote } from '../../../src/protocol/wire/client.js';
import { silentLog } from '../../../src/runtime/log.js';
import { nodeRuntime } from '../../../src/runtime/node/runtime.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { freePorts, until } from '../../support/cluster.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { MemoryNetwork } from '../../support/memory-network.js';
import { makeRequest } from './harness.js';

const ROOT = 1;
const LEAD_CHANGED: ReadonlySet<string> = new Set(['NOT_LEADER', 'OUTCOME_UNKNOWN', 'CLOSING']);
const LIMIT_MS = 30_000;
/** So short that what a newcomer lacks is in no log any more. */
const SEGMENT_BYTES = 16 * 1024;

class Group {
  readonly names: string[];
  readonly #directory = mkdtempSync(join(tmpdir(), 'nmrfs-group-'));
  readonly #running = new Map<string, RunningMetaserver>();
  readonly #remotes = new Map<string, Remote>();
  /** What the servers have logged. */
  readonly events: string[] = [];
  readonly #runtime = this.#recording(nodeRuntime({ logLevel: 'error', logName: 'test' }));

  private constructor(
    readonly ports: readonly number[],
    readonly protocol: 'raft' | 'viewstamped',
  ) {
    this.names = ports.map((_, at) => `meta${at + 1}`);
  }

  static async of(count: number, protocol: 'raft' | 'viewstamped'): Promise<Group> {
    return new Group(await freePorts(count), protocol);
  }

  #recording(runtime: Runtime): Runtime {
    const note = (event: string) => void this.events.push(event);
    return { ...runtime, log: { ...silentLog, info: note, warn: note, error: note } };
  }

  async start(name: string): Promise<void> {
    const members = this.names.map((each, at) => ({ name: each, address: `127.0.0.1:${this.ports[at]}` }));
    const { address } = members.find((each) => each.name === name) ?? assert.fail();
    const group = { cluster: 'test', protocol: this.protocol, members };
    const directory = join(this.#directory, name);
    this.#running.set(
      name,
      await runMetaserver({ name, address, directory, group, segmentBytes: SEGMENT_BYTES }, this.#runtime),
    );
    const remote = connectRemote({ name, address, deadlineMs: 3000, whileDown: 'wait' }, this.#runtime);
    this.#remotes.set(name, remote);
  }

  async stop(name: string, isBlank = false): Promise<void> {
    await this.#remotes.get(name)?.close();
    await this.#running.get(name)?.close();
    this.#remotes.delete(name);
    this.#running.delete(name);
    if (isBlank) rmSync(join(this.#directory, name), { recursive: true });
  }

  async close(): Promise<void> {
    for (const name of this.#running.keys()) await this.stop(name);
    rmSync(this.#directory, { recursive: true });
  }

  status(name: string): Promise<GroupStatus> {
    return (this.#remotes.get(name) ?? assert.fail()).service<GroupService>('group').status({});
  }

  async memberId(name: string): Promise<string | null> {
    return (await this.status(name)).id;
  }

  /** Of a server that is stopped. @returns its member id */
  async spoilDigest(name: string, by = 1n): Promise<string> {
    const storage = await checkedRows(lmdbEngine)(join(this.#directory, name), this.#runtime);
    const progress = decodeProgress(storage.get(PROGRESS_KEY) ?? assert.fail());
    assert('self' in progress);
    await storage.write(new Map([[PROGRESS_KEY, encodeProgress({ ...progress, digest: progress.digest + by })]]));
    await storage.close();
    return progress.self;
  }

  /** Of a server that is stopped: a bit of each row flips, but of the one that says who it is. */
  async rot(name: string): Promise<void> {
    const storage = await lmdbEngine(join(this.#directory, name), this.#runtime);
    const rows = storage.scan('', PROGRESS_KEY, Number.POSITIVE_INFINITY);
    const rotten = rows.map(({ key, value }): [string, Uint8Array] => [
      key,
      value.map((byte, at) => (at === 0 ? byte ^ 1 : byte)),
    ]);
    await storage.write(new Map(rotten));
    await storage.close();
  }

  /** Has it lead. */
  async lead(name: string): Promise<void> {
    const leader = await this.leader(3);
    if (leader === name) return;
    await (this.#remotes.get(leader) ?? assert.fail()).service<GroupService>('group').transfer({ name });
  }

  metadata(name: string): MetadataService {
    return (this.#remotes.get(name) ?? assert.fail()).service<MetadataService>('metadata');
  }

  /** Resolves to the name of the one that serves, once it has so many voters. */
  async leader(voters: number): Promise<string> {
    let found: string | undefined;
    await until(
      `a leader of ${voters}`,
      async () => {
        for (const name of this.#running.keys()) {
          const status = await this.status(name);
          if (status.isServing && status.voters.length === voters && status.learners.length === 0) found = name;
        }
        return found !== undefined;
      },
      LIMIT_MS,
    ).catch(async (error: unknown) => {
      const all = await Promise.all([...this.#running.keys()].map(async (name) => [name, await this.status(name)]));
      throw new Error(`${String(error)}: ${JSON.stringify(all)}`);
    });
    return found ?? assert.fail();
  }

  /** Asks whoever leads, another one when the lead changes meanwhile. */
  async #ask<T>(voters: number, action: (metadata: MetadataService) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const metadata = this.metadata(await this.leader(voters));
        await metadata.query({ name: 'statistics', request: { identifies: true } });
        return await action(metadata);
      } catch (error) {
        if (!(error instanceof ServiceError) || !LEAD_CHANGED.has(error.code)) throw error;
      }
    }
  }

  async make(name: string): Promise<void> {
    const request = { ...makeRequest(ROOT, name), exclusive: false };
    await this.#ask(3, (metadata) => metadata.execute({ name: 'make', timeNs: 1n, request, durable: true }));
  }

  async entries(): Promise<string[]> {
    const request = { inode: ROOT, cookie: 0, limit: 1000, attributes: false };
    const { entries } = await this.#ask(3, (metadata) => metadata.query({ name: 'readdir', request }));
    return entries.map(({ name }) => Buffer.from(name).toString()).sort();
  }
}

describe('a metaserver whose rows differ from those of its group', () => {
  it('says so, and comes back as a new member with the rows of the others', async () => {
    const group = await Group.of(3, 'raft');
    try {
      for (const name of group.names) await group.start(name);
      const leader = await group.leader(3);
      await group.make('one');
      const [other = ''] = group.names.filter((name) => name !== leader);
      await group.stop(other);
      const before = await group.spoilDigest(other);
      await group.start(other);
      await group.make('two');
      await until('a new member', async () => ![before, null].includes(await group.memberId(other)), LIMIT_MS);
      await until('a voter', async () => (await group.status(other)).role === 'follower', LIMIT_MS);
      await group.stop(leader);
      assert.deepEqual(await group.entries(), ['one', 'two']);
    } finally {
      await group.close();
    }
  }).timeout(120_000);
});

describe('a metaserver whose rows have rotted', () => {
  it('gives up leading when it finds one, and gets all rows anew', async () => {
    const group = await Group.of(3, 'raft');
    try {
      for (const name of group.names) await group.start(name);
      await group.leader(3);
      await group.make('one');
      await group.stop('meta2');
      await group.rot('meta2');
      await group.start('meta2');
      const before = await group.memberId('meta2');
      await group.lead('meta2');
      await until('the damage', async () => group.events.includes('metadata.row_damaged'), LIMIT_MS);
      await until('a new member', async () => ![before, null].includes(await group.memberId('meta2')), LIMIT_MS);
      await until('a voter', async () => (await group.status('meta2')).role !== 'learner', LIMIT_MS);
      await group.lead('meta2');
      assert.deepEqual(await group.entries(), ['one']);
    } finally {
      await group.close();
    }
  }).timeout(120_000);
});

describe('two of three metaservers whose rows differ', () => {
  it('both keep what they have, whoever leads: it is not known who is wrong', async () => {
    const group = await Group.of(3, 'raft');
    try {
      for (const name of group.names) await group.start(name);
      await group.make('one');
      await group.leader(3);
      for (const name of group.names) await group.stop(name);
      const ids = [await group.spoilDigest('meta1'), await group.spoilDigest('meta2', 0n)];
      await group.start('meta1');
      await group.start('meta2');
      await until('one to differ', async () => group.events.includes('replica.divided'));
      const reasons = await Promise.all(['meta1', 'meta2'].map(async (name) => (await group.status(name)).reason));
      assert.ok(reasons.includes('the rows are not those that the leader had'), reasons.join());
      assert.deepEqual([await group.memberId('meta1'), await group.memberId('meta2')], ids);
      assert.equal(group.events.filter((event) => event === 'replication.joined').length, 2, 'only at the beginning');
    } finally {
      await group.close();
    }
  }).timeout(120_000);
});

describe('a metaserver that is opening its store', () => {
  it('is taken for no blank one', async () => {
    const members = ['meta1', 'meta2'].map((name) => ({ name, address: '127.0.0.1:1' }));
    const options = {
      name: 'meta1',
      directory: '/store',
      group: { cluster: 'test', protocol: 'raft', members },
    } as const;
    const real = nodeRuntime({ logLevel: 'error', logName: 'test' });
    const disk = new MemoryDisk().mount();
    const runtime = { ...real, log: silentLog, disk, network: new MemoryNetwork() };
    const store = new MemoryStore();
    const greeting = { name: 'meta2', id: null, hasGroup: false, cluster: 'test', clusterId: null, servers: [] };
    const opening = await GroupMetaserver.open(options, memoryEngine(store), runtime);
    await assert.rejects(async () => opening.group.hello(greeting), { code: 'FAILED' });
    void opening.start();
    await until('blank', () =>
      opening.group.hello(greeting).then(
        ({ id }) => id === null,
        () => false,
      ),
    );
    for (const stranger of [{ cluster: 'other' }, { name: 'meta3' }]) {
      await assert.rejects(async () => opening.group.hello({ ...greeting, ...stranger }), { code: 'REFUSED' });
    }
    await opening.close();
  });
});

for (const protocol of ['raft', 'viewstamped'] as const) {
  describe(`metaservers of a group of ${protocol}`, function () {
    this.timeout(120_000);

    it('find each other, lose nothing when the leader stops, and take back one that was away and one that is blank', async () => {
      const group = await Group.of(3, protocol);
      try {
        for (const name of group.names) await group.start(name);
        const first = await group.leader(3);
        await group.make('one');
        await group.stop(first);
        const second = await group.leader(3);
        assert.notEqual(second, first);
        assert.deepEqual(await group.entries(), ['one']);
        await group.make('two');
        await group.start(first);
        const [third = ''] = group.names.filter((name) => name !== first && name !== second);
        await group.stop(third, true);
        await group.make('three');
        // More than the logs keep, whose checkpoints compact them.
        for (let n = 0; n < 150; n++) await group.make(`more${n}`.padEnd(250, '.'));
        await group.start(third);
        const fourth = await group.leader(3);
        await until(
          'the blank one',
          async () => {
            const { appliedIndex, role } = await group.status(third);
            return (
              role !== 'blank' && role !== 'learner' && appliedIndex >= (await group.status(fourth)).committedIndex
            );
          },
          LIMIT_MS,
        );
        await group.stop(second);
        const names = (await group.entries()).filter((name) => !name.startsWith('more'));
        assert.deepEqual(names, ['one', 'three', 'two']);
        assert.ok(group.events.includes('replication.state_sent'), 'what it lacked came as a whole state');
      } finally {
        await group.close();
      }
    });
  });
}
