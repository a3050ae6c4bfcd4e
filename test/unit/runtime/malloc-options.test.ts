import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { dataServerEnvironment, mountEnvironment } from '../../../src/runtime/node/malloc-options.js';

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

describe("a mount's environment", () => {
  it('has large buffers given back, but for what somebody has decided about', () => {
    assert.deepEqual(mountEnvironment({}), {
      GLIBC_TUNABLES: 'glibc.malloc.mmap_threshold=1048576:glibc.malloc.trim_threshold=16777216',
    });
    assert.deepEqual(mountEnvironment({ GLIBC_TUNABLES: 'glibc.malloc.mmap_threshold=65536' }), {
      GLIBC_TUNABLES: 'glibc.malloc.mmap_threshold=65536:glibc.malloc.trim_threshold=16777216',
    });
  });
});
