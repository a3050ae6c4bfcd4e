// What real servers of a catalog record: each a file of its own, and together one recording.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'mocha';
import { type Recording, RecordingReader } from '../../../src/recording/reader.js';
import { Timeline } from '../../../src/recording/timeline.js';
import { CatalogProcesses } from '../../support/catalog-processes.js';
import { until } from '../../support/cluster.js';

describe('the recordings of a catalog', function () {
  this.timeout(60_000);
  let catalog: CatalogProcesses;

  before(async () => {
    catalog = await CatalogProcesses.start(3, ['protocol: raft', 'logLevel: warn'], true);
  });

  after(() => catalog?.remove());

  async function recorded(): Promise<Recording> {
    const reader = new RecordingReader();
    for (const { name } of catalog.servers) {
      reader.push(await readFile(catalog.recordingOf(name), 'utf8'));
      reader.nextFile();
    }
    return reader.end();
  }

  it('have the messages between servers and of clients, and who leads', async () => {
    const { status, stderr } = await catalog.shell(catalog.addresses, 'create /a one', 'set /a two', 'get /a');
    assert.equal(status, 0, stderr);
    await until('the recordings to be written', async () => {
      const { events } = await recorded().catch(() => ({ events: [] }));
      return events.some((event) => event.kind === 'message' && event.from === 'clients' && event.name === 'GET');
    });
    const recording = await recorded();
    const { lanes, events } = new Timeline(recording);
    assert.deepEqual(
      lanes.map(({ name }) => name).filter((name) => name !== 'another server'),
      ['clients', 'a', 'b', 'c'],
    );
    assert.equal(lanes.filter(({ roles }) => roles.some(({ role }) => role === 'leader')).length >= 1, true);
    const names = new Set(events.flatMap((event) => (event.kind === 'message' ? [event.name] : [])));
    for (const name of ['append', 'appended']) {
      assert.ok(
        [...names].some((each) => each.split(', ').includes(name)),
        `${name} in ${[...names].join()}`,
      );
    }
  });
});
