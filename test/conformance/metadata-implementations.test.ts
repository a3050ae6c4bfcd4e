// The suites of MetadataService on every storage there is. After each case the
// tables are read through and must tell one story.
import { describe, it } from 'mocha';
import { checkConsistency } from '../unit/metaserver/consistency.js';
import {
  lmdbPlaces,
  memoryPlaces,
  type Place,
  type PlaceKind,
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
import { orphanCases } from './metadata-orphans.js';

const CASES = { ...namingCases, ...attributeCases, ...blockCases, ...orphanCases, ...cutCases };

/** One test for each of the cases, on a metaserver that `open` opens. */
function runAll(
  cases: Readonly<Record<string, (meta: TestMetaserver) => Promise<void>>>,
  kind: PlaceKind,
  open: (place: Place) => Promise<TestMetaserver>,
): void {
  for (const [name, run] of Object.entries(cases)) {
    it(name, () =>
      withPlace(kind, async (place) => {
        const meta = await open(place);
        await run(meta);
        await meta.close();
        await withTables(place, checkConsistency);
      }),
    );
  }
}

/** The same commands, as far as possible answered by a mediator before the metaserver has them. */
describe('MetadataService behind a mediator that answers early', () => {
  // The mediator gives numbers of its own to new inodes.
  const { 'makes nothing under a number that was never given out or is in use': _, ...cases } = CASES;
  runAll(cases, slowMemoryPlaces, ({ factory }) => TestMetaserver.openBehindMediator(factory));
});

for (const kind of [memoryPlaces, slowMemoryPlaces, lmdbPlaces]) {
  describe(`MetadataService over ${kind.name}`, () => {
    runAll(CASES, kind, ({ factory }) => TestMetaserver.open(factory));
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
