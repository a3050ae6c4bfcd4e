import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseMountTable } from '../../../src/fuse-client/mounting/mount-table.js';

const TABLE = [
  '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw',
  '41 22 0:39 / /mnt/with\\040space rw,relatime shared:5 master:2 - fuse.nmrfs nmrfs rw,user_id=0',
  '42 22 0:40 / /mnt/hidden rw - fuse.nmrfs nmrfs rw',
  '43 42 0:41 / /mnt/hidden rw - tmpfs tmpfs rw',
  '44 22 0:42 / /mnt/twice rw - fuse.nmrfs nmrfs rw',
  '45 44 0:43 / /mnt/twice rw - fuse.nmrfs nmrfs rw',
  '',
].join('\n');

describe('the table of mounts', () => {
  const cases: { directory: string; device: string | undefined }[] = [
    { directory: '/mnt/with space', device: '0:39' },
    { directory: '/mnt/hidden', device: undefined },
    { directory: '/mnt/twice', device: '0:43' },
    { directory: '/', device: undefined },
    { directory: '/mnt', device: undefined },
  ];
  for (const { directory, device } of cases) {
    it(`has ${device ?? 'no FUSE mount'} at ${directory}`, () =>
      assert.equal(parseMountTable(TABLE, directory), device));
  }
});
