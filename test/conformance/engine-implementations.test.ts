// The engine suite on every storage there is, and on broken ones, which it
// must find out.
import { describe, it } from 'mocha';
import type { Storage } from '../../src/metaserver/engine/storage.js';
import {
  lmdbPlaces,
  loggedPlaces,
  memoryPlaces,
  type PlaceKind,
  slowMemoryPlaces,
  withPlace,
} from '../unit/metaserver/harness.js';
import { engineCases, engineSuite } from './engine-suite.js';
import { assertFindsDefect } from './finds-defect.js';

for (const kind of [memoryPlaces, slowMemoryPlaces, lmdbPlaces, ...loggedPlaces]) {
  describe(`storage in ${kind.name}`, () => {
    engineSuite(kind);
  });
}

describe('the engine suite', () => {
  const broken: Record<string, (storage: Storage) => Partial<Storage>> = {
    'forgets removals': (storage) => ({
      write: (changes) => storage.write(new Map([...changes].filter(([, value]) => value !== null))),
    }),
    'lists one row too many': (storage) => ({ scan: (from, to, limit) => storage.scan(from, to, limit + 1) }),
    'includes the end of a range': (storage) => ({ scan: (from, to, limit) => storage.scan(from, `${to}\0`, limit) }),
    'writes nothing': () => ({ write: async () => {} }),
    'writes half of a large transaction': (storage) => ({
      write: (changes) => storage.write(changes.size < 1000 ? changes : new Map([...changes].slice(0, 1000))),
    }),
  };
  for (const [defect, breakIt] of Object.entries(broken)) {
    it(`finds a storage that ${defect}`, () =>
      assertFindsDefect(engineCases, (test) => withPlace(brokenPlaces(breakIt), test)));
  }
});

function brokenPlaces(breakIt: (storage: Storage) => Partial<Storage>): PlaceKind {
  return {
    name: 'broken',
    make() {
      const place = memoryPlaces.make();
      return {
        ...place,
        factory: async (directory, runtime) => {
          const storage = await place.factory(directory, runtime);
          return { ...storage, ...breakIt(storage) };
        },
      };
    },
  };
}
