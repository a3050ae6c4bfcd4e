import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { dataServerEnvironment } from '../../../src/runtime/node/malloc-options.js';

describe("a data server's environment", () => {
  it('asks for huge pages, behind whatever else malloc is told', () => {
    assert.deepEqual(dataServerEnvironment({}), { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' });
    assert.deepEqual(dataServerEnvironment({ GLIBC_TUNABLES: 'glibc.malloc.check=1', PATH: '/bin' }), {
      GLIBC_TUNABLES: 'glibc.malloc.check=1:glibc.malloc.hugetlb=1',
    });
  });

  it('leaves it to who has decided about them', () => {
    assert.deepEqual(dataServerEnvironment({ GLIBC_TUNABLES: 'glibc.malloc.hugetlb=0' }), {});
  });
});
