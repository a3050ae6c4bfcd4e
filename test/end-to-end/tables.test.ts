// Tables 1 to 6 of the report, through the real mount and real servers: which
// reads and writes succeed with how many corrupted or crashed replicas.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { Cluster } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

interface Cell {
  write: boolean;
  read: boolean;
}

/** What the report prints, by rows: number of faults → success. */
interface Table {
  number: number;
  servers: number;
  readQuorum: number;
  writeQuorum: number;
  corruption: Cell[];
  crash: Cell[];
}

/** A row of the report: y for success, n for failure, one letter per number of faults. */
function cells(write: string, read: string): Cell[] {
  return [...write].map((letter, faults) => ({ write: letter === 'y', read: read[faults] === 'y' }));
}

const TABLES: Table[] = [
  { number: 1, servers: 1, readQuorum: 1, writeQuorum: 1, corruption: cells('yy', 'yn'), crash: cells('yn', 'yn') },
  {
    number: 2,
    servers: 5,
    readQuorum: 5,
    writeQuorum: 5,
    corruption: cells('yyyyyy', 'ynnnnn'),
    crash: cells('ynnnnn', 'ynnnnn'),
  },
  {
    number: 3,
    servers: 5,
    readQuorum: 4,
    writeQuorum: 5,
    corruption: cells('yyyyyy', 'yynnnn'),
    crash: cells('ynnnnn', 'yynnnn'),
  },
  {
    number: 4,
    servers: 5,
    readQuorum: 3,
    writeQuorum: 5,
    corruption: cells('yyyyyy', 'yyynnn'),
    crash: cells('ynnnnn', 'yyynnn'),
  },
  {
    number: 5,
    servers: 5,
    readQuorum: 2,
    writeQuorum: 5,
    corruption: cells('yyyyyy', 'yyyynn'),
    crash: cells('ynnnnn', 'yyyynn'),
  },
  {
    number: 6,
    servers: 5,
    readQuorum: 1,
    writeQuorum: 5,
    corruption: cells('yyyyyy', 'yyyyyn'),
    crash: cells('ynnnnn', 'yyyyyn'),
  },
];

const names = (count: number) => Array.from({ length: count }, (_, index) => `data${index + 1}`);

for (const servers of [1, 5]) {
  const tables = TABLES.filter((table) => table.servers === servers);

  describe(`the report's tables for ${servers} data server${servers === 1 ? '' : 's'}`, function () {
    this.timeout(300_000);
    let cluster: Cluster;
    const seen = new Map<Table, { corruption: Cell[]; crash: Cell[] }>();

    before(async function () {
      requireFuse(this);
      cluster = await Cluster.start({ servers });
      for (const table of tables) seen.set(table, { corruption: [], crash: [] });
    });

    after(async () => {
      for (const table of tables) print(table, seen.get(table));
      await cluster?.destroy();
    });

    function useQuorum(readQuorum: number): Promise<void> {
      return cluster.configure('readQuorum', String(readQuorum));
    }

    for (const table of tables) {
      for (const [faults, expected] of table.corruption.entries()) {
        it(`table ${table.number}: Qr=${table.readQuorum}, ${faults} corrupted`, async () => {
          const file = `corrupted-${table.readQuorum}-${faults}.txt`;
          await useQuorum(table.readQuorum);
          assert.equal((await cluster.shell(`echo "old content" > ${file}`)).status, 0);
          const victims = names(faults);
          await cluster.corrupt(`/${file}`, ...victims);

          const read = await cluster.shell(`cat ${file}`);
          assert.equal(read.status === 0, expected.read, `read: ${read.stderr}`);
          if (expected.read) {
            assert.equal(read.stdout, 'old content\n');
            await cluster.untilEqual(...names(servers));
            await cluster.corrupt(`/${file}`, ...victims);
          } else {
            assert.match(read.stderr, /Input\/output error/);
          }

          const write = await cluster.shell(`echo "new content" > ${file}`);
          assert.equal(write.status === 0, expected.write, `write: ${write.stderr}`);
          assert.equal((await cluster.shell(`cat ${file}`)).stdout, 'new content\n');
          seen.get(table)?.corruption.push({ write: write.status === 0, read: read.status === 0 });
        });
      }
    }

    // One more server crashes at a time, and all quorums are tried on what is left.
    for (let faults = 0; faults <= servers; faults++) {
      it(`${faults} of ${servers} crashed: all quorums`, async () => {
        if (faults === 0) {
          assert.equal((await cluster.shell('echo "before the crash" > crash.txt')).status, 0);
        } else {
          await cluster.terminate(`data${faults}`);
        }
        for (const table of tables) {
          const expected = table.crash[faults];
          assert.ok(expected);
          await useQuorum(table.readQuorum);
          const content = faults === 0 ? `before the crash, Qr=${table.readQuorum}` : 'refused';
          const write = await cluster.shell(`echo "${content}" > crash.txt`);
          assert.equal(write.status === 0, expected.write, `Qr=${table.readQuorum} write: ${write.stderr}`);
          if (!expected.write) assert.match(write.stderr, /Input\/output error/);
          const read = await cluster.shell('cat crash.txt');
          assert.equal(read.status === 0, expected.read, `Qr=${table.readQuorum} read: ${read.stderr}`);
          const last = tables.at(-1)?.readQuorum;
          if (expected.read)
            assert.equal(read.stdout, `before the crash, Qr=${faults === 0 ? table.readQuorum : last}\n`);
          else assert.match(read.stderr, /Input\/output error/);
          seen.get(table)?.crash.push({ write: write.status === 0, read: read.status === 0 });
        }
      });
    }

    it('serves what it had once the crashed servers are back', async () => {
      await cluster.restart(names(servers));
      await cluster.untilState('up');
      await useQuorum(servers);
      const read = await cluster.shell('cat crash.txt');
      assert.equal(read.stdout, `before the crash, Qr=${tables.at(-1)?.readQuorum}\n`);
      assert.equal((await cluster.shell('echo again > crash.txt && cat crash.txt')).stdout, 'again\n');
    });
  });
}

/** Prints what was seen in the report's layout. */
function print(table: Table, seen: { corruption: Cell[]; crash: Cell[] } | undefined): void {
  if (seen === undefined) return;
  const marks = (row: boolean[]) => row.map((success) => (success ? '√' : '×').padStart(3)).join('');
  const header = (count: number) => Array.from({ length: count }, (_, faults) => String(faults).padStart(3)).join('');
  const lines = [
    `Table ${table.number}: N=${table.servers}, Qr=${table.readQuorum}, Qw=${table.writeQuorum}, as seen`,
    `  Number of Corruption ${header(table.corruption.length)}`,
    `  Result of Write      ${marks(seen.corruption.map(({ write }) => write))}`,
    `  Result of Read       ${marks(seen.corruption.map(({ read }) => read))}`,
    `  Number of Crash      ${header(table.crash.length)}`,
    `  Result of Write      ${marks(seen.crash.map(({ write }) => write))}`,
    `  Result of Read       ${marks(seen.crash.map(({ read }) => read))}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
