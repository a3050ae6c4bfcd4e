// The guided runs against a cluster that keeps its promises by arithmetic: they
// find what the report prints, and put back what they have changed.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Hands, Held } from '../../../src/page/faults/runs/hands.js';
import { STORIES, type Step } from '../../../src/page/faults/runs/stories.js';
import { type Cell, isPromised, runTable, TABLES } from '../../../src/page/faults/runs/tables.js';

interface File {
  inode: number;
  text: string;
  corrupted: Set<string>;
}

class ArithmeticHands implements Hands {
  isStopped = false;
  isCleared = false;
  readonly down = new Set<string>();
  readonly #files = new Map<string, File>();
  readonly names: string[];

  constructor(
    servers: number,
    public readQuorum: number,
    public writeQuorum: number,
  ) {
    this.names = Array.from({ length: servers }, (_, at) => `data${at + 1}`);
  }

  async write(name: string, text: string) {
    if (this.names.length - this.down.size < this.writeQuorum) return { refused: 'EIO' };
    const inode = this.#files.get(name)?.inode ?? this.#files.size + 10;
    this.#files.set(name, { inode, text, corrupted: new Set() });
    return { inode };
  }

  async read(name: string) {
    const file = this.#files.get(name);
    assert.ok(file !== undefined);
    if (this.#good(file) < this.readQuorum) return { refused: 'EIO' };
    file.corrupted.clear();
    return { text: file.text };
  }

  async corrupt(inode: number, servers: readonly string[]) {
    for (const server of servers) this.#fileOf(inode).corrupted.add(server);
  }

  async terminate(server: string) {
    this.down.add(server);
  }

  async restart(server: string) {
    this.down.delete(server);
  }

  async configure(key: 'readQuorum' | 'writeQuorum' | 'audit', value: string) {
    if (key !== 'audit') this[key] = Number(value);
    assert.ok(this.readQuorum + this.writeQuorum > this.names.length, 'quorums that may be at every moment');
  }

  async contents(server: string): Promise<Held[] | null> {
    return this.down.has(server) ? null : [{ index: 0, version: 1, length: 5, hash: '00' }];
  }

  async agreeing(inode: number) {
    return this.#good(this.#fileOf(inode));
  }

  async cluster() {
    const { readQuorum, writeQuorum } = this;
    const dataservers = this.names.map((name) => ({
      name,
      state: this.down.has(name) ? ('down' as const) : ('up' as const),
    }));
    return { readQuorum, writeQuorum, dataservers };
  }

  async pause() {}

  async clear() {
    this.isCleared = true;
  }

  #good({ corrupted }: File): number {
    return this.names.filter((name) => !this.down.has(name) && !corrupted.has(name)).length;
  }

  #fileOf(inode: number): File {
    const file = [...this.#files.values()].find((each) => each.inode === inode);
    assert.ok(file !== undefined);
    return file;
  }
}

describe("the report's tables as runs", () => {
  for (const table of TABLES) {
    it(`find every cell of table ${table.number}, and put everything back`, async () => {
      const hands = new ArithmeticHands(table.servers, table.servers, table.servers);
      const found: string[] = [];
      await runTable(table, hands, (cell: Cell, isDone) => {
        assert.equal(isDone, isPromised(table, cell), JSON.stringify(cell));
        found.push(JSON.stringify(cell));
      });
      assert.equal(new Set(found).size, 4 * (table.servers + 1));
      assert.deepEqual([hands.readQuorum, hands.writeQuorum, hands.down.size], [table.servers, table.servers, 0]);
    });
  }

  it('end when they are stopped, and put everything back', async () => {
    const hands = new ArithmeticHands(5, 3, 5);
    const table = TABLES[1];
    assert.ok(table !== undefined);
    let count = 0;
    const run = runTable(table, hands, () => {
      if (++count === 15) hands.isStopped = true;
    });
    await assert.rejects(run, { name: 'Stopped' });
    assert.deepEqual([hands.readQuorum, hands.writeQuorum, hands.down.size], [3, 5, 0]);
  });
});

describe("the report's stories as runs", () => {
  for (const { name, run } of STORIES) {
    for (const victims of [1, 2, 3]) {
      it(`${name} with ${victims} of 5 comes out as promised`, async () => {
        const hands = new ArithmeticHands(5, 3, 5);
        const steps: Step[] = [];
        await run(hands, hands.names.slice(0, victims), (step) => steps.push(step));
        assert.deepEqual(
          steps.filter(({ isAsPromised }) => isAsPromised === false),
          [],
        );
        assert.ok(steps.some(({ isAsPromised }) => isAsPromised));
        assert.equal(hands.down.size, 0);
      });
    }
  }

  it('say so when something is not as promised', async () => {
    const hands = new ArithmeticHands(5, 3, 5);
    hands.read = async () => ({ text: 'wrong bytes' });
    const steps: Step[] = [];
    await STORIES[0]?.run(hands, ['data1'], (step) => steps.push(step));
    assert.ok(steps.some(({ isAsPromised }) => isAsPromised === false));
  });
});
