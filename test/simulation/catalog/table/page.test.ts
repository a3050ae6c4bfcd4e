// docs/protocols.md says what is measured: sections of it are measured again.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, it } from 'mocha';
import { readCollectionHeader } from '../../../../src/recording/collection.js';
import { RecordingReader } from '../../../../src/recording/reader.js';
import { Timeline } from '../../../../src/recording/timeline.js';
import { FAULTS } from './faults.js';
import { faultSection, sectionOf } from './page.js';

/** From dist/test/simulation/catalog/table. */
const PAGE = fileURLToPath(new URL('../../../../../docs/protocols.md', import.meta.url));
const RECORDINGS = fileURLToPath(new URL('../../../../../src/page/protocols.recordings', import.meta.url));
const AGAIN = '"npm run protocols -- --record src/page/protocols.recordings" writes both anew';
/** All of them take most of a minute: NMRFS_TABLE_FAULTS=12. */
const COUNT = Number(process.env.NMRFS_TABLE_FAULTS ?? 1);

describe('the recordings of the table', () => {
  it('have the numbers of docs/protocols.md, and a recording for each row', async () => {
    const page = await readFile(PAGE, 'utf8');
    const found = await readCollectionHeader(new Blob([await readFile(RECORDINGS)]));
    assert(found !== undefined);
    const { tables, recordings } = found.header;
    assert.equal(tables.length, FAULTS.length);
    for (const table of tables) {
      assert(page.includes(sectionOf(table).trimEnd()), `${AGAIN}: ${table.fault}`);
      for (const { protocol } of table.rows) {
        assert(recordings.some((each) => each.fault === table.fault && each.protocol === protocol));
      }
    }
  });

  it('can be read, and have the moments of their cells', async () => {
    const bytes = await readFile(RECORDINGS);
    const found = await readCollectionHeader(new Blob([bytes]));
    assert(found !== undefined);
    const { tables, recordings } = found.header;
    for (const { fault, protocol, start, bytes: length } of recordings.filter((_, at) => at % 7 === 0)) {
      const reader = new RecordingReader();
      reader.push(gunzipSync(bytes.subarray(found.bodyAt + start, found.bodyAt + start + length)).toString());
      const recording = reader.end();
      assert.equal(recording.problem, null);
      const { startUs, endUs } = new Timeline(recording);
      const cells = tables.find((table) => table.fault === fault)?.rows.find((row) => row.protocol === protocol)?.cells;
      for (const { atUs } of cells ?? assert.fail())
        assert(startUs <= atUs && atUs <= endUs + 1, `${protocol}, ${fault}`);
    }
  });
});

describe('the table of protocols', function () {
  this.timeout(COUNT * 60_000);
  const first = randomInt(FAULTS.length);

  for (let turn = 0; turn < COUNT; turn++) {
    const fault = FAULTS[(first + turn) % FAULTS.length] ?? assert.fail('there are faults');
    it(`is as it is measured: ${fault.name}`, async () => {
      const page = await readFile(PAGE, 'utf8');
      const section = (await faultSection(fault)).trimEnd();
      assert(page.includes(section), `"npm run protocols" writes it anew. Measured now:\n${section}`);
    });
  }
});
