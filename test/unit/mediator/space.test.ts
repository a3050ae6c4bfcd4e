import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { spaceOf } from '../../../src/mediator/replicas/space.js';
import type { StoreStatus } from '../../../src/protocol/services/blocks.js';

describe('the space that is told', () => {
  // servers as disk:free/total, free, total
  const table: [servers: string, free: number, total: number][] = [
    ['', 0, 0],
    ['a:10/100', 10, 100],
    ['a:50/100 b:40/200 c:60/90', 40, 90],
    // One disk, seen three times: what it has goes to all three.
    ['a:30/90 a:30/90 a:30/90', 10, 30],
    ['a:31/90 a:29/90 b:12/40', 12, 40],
    ['a:31/90 a:29/90 b:99/100', 14, 45],
    ['a:0/90 b:99/100', 0, 90],
  ];
  for (const [servers, freeBytes, totalBytes] of table) {
    it(`is ${freeBytes} of ${totalBytes} with ${servers || 'no server'}`, () => {
      const replicas = servers.split(' ').flatMap((server) => {
        const [, diskId, free, total] = /^(\w):(\d+)\/(\d+)$/.exec(server) ?? [];
        if (diskId === undefined) return [];
        const store: Partial<StoreStatus> = { diskId, freeBytes: Number(free), totalBytes: Number(total) };
        return [{ store: store as StoreStatus }];
      });
      assert.deepEqual(spaceOf({ replicas }), { freeBytes, totalBytes });
    });
  }
});
