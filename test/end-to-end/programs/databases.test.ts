// SQLite and PostgreSQL: what they acknowledged is there, whatever was killed
// in between. SQLite brings byte-range locks and a memory-mapped index that
// processes share, PostgreSQL its own user, preallocated logs and many fsyncs.
import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { type Cluster, until } from '../../support/cluster.js';
import { Postgres } from '../../support/postgres.js';
import { succeed, Workplace } from '../../support/programs.js';

const WRITERS = 3;
const ROWS_EACH = 40;

/** `create MODE FILE`, `write FILE NAME` (prints each row it has committed), `check FILE`. */
const SQLITE = `
import sqlite3, sys
action, path, word = (sys.argv[1:] + [''])[:3]
connection = sqlite3.connect(path, timeout=90, isolation_level=None)
run = connection.execute
if action == 'create':
    assert run('pragma journal_mode = ' + word).fetchone()[0] == word
    run('create table rows(id integer primary key, writer text, number int, data text)')
    run('create index by_writer on rows(writer, number)')
    run('create table counter(value int)')
    run('insert into counter values (0)')
elif action == 'write':
    run('pragma synchronous = full')
    for number in range(${ROWS_EACH}):
        run('begin immediate')
        run('insert into rows(writer, number, data) values (?, ?, ?)', (word, number, word * 300))
        run('update counter set value = value + 1')
        run('commit')
        print(word, number, flush=True)
else:
    print(*run('pragma integrity_check').fetchone())
    print(*run('select value from counter').fetchone())
    for writer, number, data in run('select writer, number, data from rows'):
        assert data == writer * 300
        print(writer, number)
`;

describe('SQLite', function () {
  this.timeout(180_000);
  let place: Workplace;

  before(async function () {
    // One server may be away for a write, so that a killed one is no reason for a program to fail.
    place = await Workplace.open(this, ['python3'], { servers: 5, readQuorum: 3, writeQuorum: 4 });
    await writeFile(join(place.plain, 'rows.py'), SQLITE);
  });

  after(async () => {
    await place?.close();
  });

  const python = (parameters: string) => succeed(`python3 ${place.plain}/rows.py ${parameters}`, place.mounted);

  /** Several processes write at once; what they acknowledged must be in the file. */
  async function writeAndCheck(
    file: string,
    meanwhile: (printed: () => Promise<string>) => Promise<void>,
  ): Promise<void> {
    const acknowledged = join(place.plain, `${file}.acknowledged`);
    const names = Array.from({ length: WRITERS }, (_, index) => `w${index}`);
    await writeFile(acknowledged, '');
    const writing = Promise.all(names.map((name) => python(`write ${file} ${name} >> ${acknowledged}`)));
    await Promise.all([writing, meanwhile(() => readFile(acknowledged, 'utf8'))]);
    const [verdict, count, ...rows] = (await python(`check ${file}`)).trim().split('\n');
    assert.equal(verdict, 'ok');
    assert.equal(Number(count), WRITERS * ROWS_EACH);
    assert.deepEqual(rows.sort(), (await readFile(acknowledged, 'utf8')).trim().split('\n').sort());
    assert.equal(rows.length, WRITERS * ROWS_EACH);
  }

  for (const mode of ['wal', 'delete', 'truncate', 'persist']) {
    it(`${mode}: concurrent writers lose no acknowledged row`, async () => {
      await python(`create ${mode}.db ${mode}`);
      await writeAndCheck(`${mode}.db`, async () => {});
    });
  }

  for (const mode of ['wal', 'delete']) {
    it(`${mode}: nor when a data server is killed and the file is corrupted on another one meanwhile`, async () => {
      const { cluster } = place;
      const file = `${mode}-faults.db`;
      await cluster.untilState('up');
      await python(`create ${file} ${mode}`);
      await writeAndCheck(file, async (printed) => {
        await until('the first rows', async () => (await printed()).split('\n').length > WRITERS * 3);
        process.kill(await cluster.pidOf('data2'), 'SIGKILL');
        await cluster.must('corrupt', `/${file}`, '--on', 'data4');
      });
    });
  }
});

describe('PostgreSQL', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let postgres: Postgres;

  before(async function () {
    const place = await Workplace.open(this, [...Postgres.PROGRAMS], { servers: 3, readQuorum: 2 });
    ({ cluster } = place);
    // It runs as a user of its own, who must get as far as the mount.
    await chmod(cluster.folder, 0o711);
    postgres = new Postgres(place.mounted, join(place.plain, 'sockets'));
  });

  after(async () => {
    await postgres?.remove();
    await cluster?.destroy();
  });

  /** Four clients, each with so many transactions. */
  const bench = (transactions: number) => postgres.run('pgbench', '-n', '-c', '4', '-t', String(transactions), 'bench');

  /** Every transaction of pgbench adds the same amount in four places. */
  async function mustAddUp(transactions: number): Promise<void> {
    const sums = await postgres.query(`
      select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers),
             (select sum(bbalance) from pgbench_branches), (select sum(delta) from pgbench_history),
             (select count(*) from pgbench_history), (select count(*) from pgbench_accounts)`);
    const [accounts, tellers, branches, history, done, rows] = sums.trim().split('|').map(Number);
    assert.deepEqual([tellers, branches, history], [accounts, accounts, accounts]);
    assert.deepEqual([done, rows], [transactions, 100_000]);
  }

  it('makes a database with checksums and fills it', async () => {
    await postgres.initialize();
    await postgres.start();
    await postgres.run('createdb', 'bench');
    await postgres.run('pgbench', '-q', '-i', '-s', '1', 'bench');
  });

  it('runs transactions of four clients, which add up', async () => {
    assert.match(await bench(50), /actually processed: 200\/200/);
    await mustAddUp(200);
  });

  it('still adds up after a clean restart', async () => {
    await postgres.stop('SIGINT');
    await postgres.start();
    await mustAddUp(200);
  });

  it('has everything that was acknowledged after an immediate shutdown without a checkpoint', async () => {
    await bench(25);
    await postgres.stop('SIGQUIT');
    await postgres.start();
    await mustAddUp(300);
  });

  it('has everything that was acknowledged after all its processes were killed', async () => {
    await bench(25);
    await postgres.kill();
    await postgres.start();
    await mustAddUp(400);
  });

  it('has the right checksum on every page, and indexes that fit their tables', async () => {
    await postgres.run('pg_amcheck', '--install-missing', '--heapallindexed', 'bench');
    await postgres.stop('SIGINT');
    assert.match(await postgres.run('pg_checksums', '--check', '-D', postgres.data), /Bad checksums: +0$/m);
  });
});
