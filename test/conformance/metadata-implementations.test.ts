// The suites of MetadataService on every storage there is. After each case the
// tables are read through and must tell one story.
import { describe, it } from 'mocha';
import { checkConsistency } from '../unit/metaserver/consistency.js';
import {
  lmdbPlaces,
  memoryPlaces,
  slowMemoryPlaces,
  TestMetaserver,
  withPlace,
  withTables,
} from '../unit/metaserver/harness.js';
import { attributeCases } from './metadata-attributes.js';
import { blockCases } from './metadata-blocks.js';
import { cutCases } from './metadata-cuts.js';
import { durabilityCases } from './metadata-durability.js';
import { namingCases } from './metadata-naming.js';

for (const kind of [memoryPlaces, slowMemoryPlaces, lmdbPlaces]) {
  describe(`MetadataService over ${kind.name}`, () => {
    for (const [name, run] of Object.entries({ ...namingCases, ...attributeCases, ...blockCases, ...cutCases })) {
      it(name, () =>
        withPlace(kind, async (place) => {
          const meta = await TestMetaserver.open(place.factory);
          await run(meta);
          await meta.close();
          await withTables(place, checkConsistency);
        }),
      );
    }
    for (const [name, run] of Object.entries(durabilityCases)) {
      it(name, () =>
        withPlace(kind, async (place) => {
          await run(place);
          await withTables(place, checkConsistency);
        }),
      );
    }
  });
}
