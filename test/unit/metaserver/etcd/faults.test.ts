// Random faults of etcd, of the way to it and of the metaservers' processes: never are two certain at one moment that they lead,
// whoever is certain has all that was written, and what was answered is there in the end, once.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '../../../../src/protocol/errors.js';
import type { Fate } from '../../../support/fake-etcd.js';
import { seeded } from '../harness.js';
import { changes, EtcdWorld, rowsOf, type Server } from './harness.js';

const SEEDS = Number(process.env.NMRFS_ETCD_SEEDS ?? 8);
const FIRST_SEED = Number(process.env.NMRFS_SEED ?? Math.floor(Date.now() / 1000) % 1_000_000);
const NAMES = ['meta1', 'meta2', 'meta3'];
const FAULTY_MS = 40_000;
const FATES: readonly Fate[] = ['request lost', 'answer lost', 'late'];

class Run {
  readonly #world: EtcdWorld;
  readonly #random: () => number;
  #servers: Server[] = [];
  /** Keys whose writes were answered, and those whose writes were begun. */
  readonly #answered = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #writing = new Set<string>();
  #written = 0;
  /** Nothing is written any more. */
  #isQuiet = false;
  reigns = 0;

  constructor(seed: number) {
    this.#world = new EtcdWorld(NAMES, seed);
    this.#random = seeded(seed);
  }

  async go(): Promise<void> {
    const world = this.#world;
    this.#servers = await Promise.all(NAMES.map((name) => world.open(name)));
    // In some runs nothing is lost: then whoever stands still is replaced soonest.
    const rate = Math.max(0, this.#random() - 0.5) * 0.2;
    world.etcd.fate = () =>
      this.#random() < rate ? (FATES[Math.floor(this.#random() * 3)] ?? 'answered') : 'answered';
    for (const endMs = world.nowMs + FAULTY_MS; world.nowMs < endMs; ) {
      this.#upset();
      await world.advance(this.#random() * 400, () => this.#look());
    }
    world.etcd.fate = () => 'answered';
    world.etcd.isAway = false;
    for (const { clock } of this.#servers) clock.isStanding = false;
    await world.advance(6000, () => this.#look());
    this.#isQuiet = true;
    await world.advance(4000, () => this.#look());
    this.#compare();
    let isClosed = false;
    void Promise.all(this.#servers.map(({ storage }) => storage.close())).then(() => {
      isClosed = true;
    });
    assert.ok(await world.until(() => isClosed));
    this.reigns = world.events.filter(({ event }) => event === 'etcd.elected').length;
  }

  #upset(): void {
    const { etcd } = this.#world;
    for (const { clock } of this.#servers) clock.isStanding = this.#random() < (clock.isStanding ? 0.9 : 0.04);
    etcd.isAway = this.#random() < (etcd.isAway ? 0.8 : 0.02);
    etcd.hasStaleLeases = this.#random() < 0.2;
    if (this.#random() < 0.05) void this.#servers[0]?.storage.member.handOver();
  }

  #look(): void {
    const certain = this.#servers.filter(({ storage }) => storage.leadership.isCertain);
    assert.ok(certain.length <= 1, `${certain.map(({ name }) => name).join(' and ')} are certain to lead`);
    for (const server of certain) {
      for (const key of this.#answered) assert.ok(server.storage.get(key), `${server.name} leads and lacks ${key}`);
    }
    for (const server of this.#isQuiet ? [] : this.#servers) {
      if (server.storage.leadership.isServing && !server.clock.isStanding && !this.#writing.has(server.name)) {
        void this.#write(server);
      }
    }
  }

  async #write(server: Server): Promise<void> {
    const key = `k${++this.#written}`;
    this.#writing.add(server.name);
    try {
      await server.storage.write(changes({ [key]: server.name }));
      this.#answered.add(key);
    } catch (error) {
      assert.ok(error instanceof ServiceError, String(error));
      if (error.code === 'NOT_LEADER') this.#refused.add(key);
      else assert.equal(error.code, 'OUTCOME_UNKNOWN');
    } finally {
      this.#writing.delete(server.name);
    }
  }

  #compare(): void {
    const [first = {}, ...others] = this.#servers.map(rowsOf);
    for (const other of others) assert.deepEqual(other, first);
    for (const key of this.#answered) assert.ok(key in first, `${key} was answered and is gone`);
    for (const key of this.#refused) assert.ok(!(key in first), `${key} was refused and is there`);
    assert.ok(this.#answered.size > 0, 'something was written');
    for (const { divergences } of this.#servers) assert.equal(divergences, 0);
  }
}

describe('metaservers that share a log in etcd, under faults', function () {
  this.timeout(240_000);

  it('have one leader at a time, which has all that was written', async () => {
    let reigns = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const run = new Run(seed);
      await run.go().catch((error: unknown) => {
        throw new Error(`NMRFS_SEED=${seed}: ${String(error)}`, { cause: error });
      });
      reigns += run.reigns;
    }
    assert.ok(reigns > 2 * SEEDS, `the lead changes: ${reigns} reigns`);
  });
});
