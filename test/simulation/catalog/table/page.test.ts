// docs/protocols.md says what is measured: sections of it are measured again.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { FAULTS } from './faults.js';
import { faultSection } from './page.js';

/** From dist/test/simulation/catalog/table. */
const PAGE = fileURLToPath(new URL('../../../../../docs/protocols.md', import.meta.url));
/** All of them take most of a minute: NMRFS_TABLE_FAULTS=12. */
const COUNT = Number(process.env.NMRFS_TABLE_FAULTS ?? 1);

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
