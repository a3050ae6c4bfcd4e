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

/** The same commands, as far as possible answered by a mediator before the metaserver has them. */
describe('MetadataService behind a mediator that answers early', () => {
  // The mediator gives numbers of its own to new inodes.
  const { 'makes nothing under a number that was never given out or is in use': _, ...naming } = namingCases;
  for (const [name, run] of Object.entries({ ...naming, ...attributeCases, ...blockCases, ...cutCases })) {
    it(name, () =>
      withPlace(slowMemoryPlaces, async (place) => {
        const meta = await TestMetaserver.openBehindMediator(place.factory);
        await run(meta);
        await meta.close();
        await withTables(place, checkConsistency);
      }),
    );
  }
});

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
