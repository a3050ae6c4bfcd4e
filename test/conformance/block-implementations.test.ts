// The block suite on every store there is, and on broken ones, which it must
// find out.
import { describe, it } from 'mocha';
import type { BlockService } from '../../src/protocol/services/blocks.js';
import { diskPlaces, memoryPlaces, type StorePlaceKind, withPlace } from '../unit/dataserver/harness.js';
import { blockCases } from './block-suite.js';
import { assertFindsDefect } from './finds-defect.js';

for (const kind of [memoryPlaces, diskPlaces]) {
  describe(`a data server on ${kind.name}`, () => {
    for (const [name, run] of Object.entries(blockCases)) it(name, () => withPlace(kind, run));
  });
}

describe('the block suite', () => {
  const broken: Record<string, (blocks: BlockService) => Partial<BlockService>> = {
    'answers a hash that it did not compute': (blocks) => ({
      get: async (request) => {
        const { results } = await blocks.get(request);
        return { results: results.map((result) => (result.state === 'present' ? { ...result, hash: 7n } : result)) };
      },
    }),
    'replaces without being told': (blocks) => ({ put: (request) => blocks.put({ ...request, replace: true }) }),
    'never replaces': (blocks) => ({ put: (request) => blocks.put({ ...request, replace: false }) }),
    'forgets to delete': () => ({ delete: async ({ items }) => ({ deleted: items.length }) }),
    'lists without an end': (blocks) => ({
      list: async (request) => {
        const { entries } = await blocks.list(request);
        return { entries };
      },
    }),
    'leaves out page hashes': (blocks) => ({
      get: async (request) => {
        const { results } = await blocks.get(request);
        for (const result of results) if (result.state === 'present') delete result.pageHashes;
        return { results };
      },
    }),
    'belongs to everybody': (blocks) => ({ adopt: () => blocks.status({}) }),
    'reverses its answers': (blocks) => ({
      put: async (request) => ({ results: (await blocks.put(request)).results.reverse() }),
    }),
  };
  for (const [defect, breakIt] of Object.entries(broken)) {
    it(`finds a server that ${defect}`, () =>
      assertFindsDefect(blockCases, (test) => withPlace(brokenPlaces(breakIt), test)));
  }
});

function brokenPlaces(breakIt: (blocks: BlockService) => Partial<BlockService>): StorePlaceKind {
  return {
    name: 'broken',
    async make() {
      const place = await memoryPlaces.make();
      return {
        ...place,
        async open(options) {
          const server = await place.open(options);
          return { ...server, blocks: { ...server.blocks, ...breakIt(server.blocks) } };
        },
      };
    },
  };
}
