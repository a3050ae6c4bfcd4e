// Both bindings over files in memory, and a plain directory as the oracle: what
// fails there is a mistake of the suite.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe } from 'mocha';
import { MemoryMount } from '../support/memory-mount.js';
import { requireFuse } from '../support/require-fuse.js';
import { mountSuite, type Skip } from './mount-suite.js';

const FUSE_NATIVE_SKIPS: Skip[] = [
  {
    reason: 'fuse-native hands names over as UTF-8 text',
    cases: ['names are bytes, UTF-8 or not'],
  },
  {
    reason: 'fuse-native does not say who is asking: everything new belongs to the serving process',
    cases: ['new files belong to who makes them'],
  },
  {
    reason: 'fuse-native has times in whole milliseconds',
    cases: ['times in nanoseconds'],
  },
  {
    reason: 'fuse-native cannot answer times before 1970',
    cases: ['times before 1970 and after 2038'],
  },
  {
    reason:
      'libfuse 2 drops a change of one time alone unless the binding says that it can do it, and fuse-native does not',
    cases: ['one time is set alone', 'tar and untar give the same tree'],
  },
  {
    reason: 'libfuse 2 keeps attributes by path: another name of the same file sees them late',
    cases: ['the count of links is right at once'],
  },
  {
    reason: 'fuse-native knows no rename flags',
    cases: ['renameat2 exchanges two names'],
  },
  {
    reason: 'libfuse 2 leaves access control lists to nobody, so they are refused',
    cases: ['access control lists are obeyed, kept in step with the mode, and inherited'],
  },
  {
    reason: 'fuse-native knows what is open by its path, and a directory that is gone has none',
    cases: [
      'a directory that is removed while it is open is empty, has no link, and takes new attributes',
      "a process's working directory may be removed",
    ],
  },
  {
    reason: 'libfuse 2 knows no files without a name',
    cases: ['a file without a name is made, and named when it is complete'],
  },
  {
    reason: 'fuse-native does not say whether a write is of a page of a mapping: all are appended',
    cases: ['a mapping is written back in its place while the file is open for appending'],
  },
  {
    reason: 'fuse-native answers EIO where an attribute is longer than the room for it, not ERANGE',
    cases: ['extended attributes have the limits of Linux'],
  },
  {
    reason: 'fuse-native hands on no fallocate, and no search for data or holes',
    cases: [
      'a hole reads as zeros, takes no space and keeps the size',
      'a hole comes after what was written before it and before what is written after it',
      'space is set aside and zeros are laid, with a new end or without',
      'a hole takes set-user-id away when somebody else makes it',
      'data and holes are found',
      'holes lie beyond 4 GiB too',
      'offsets that no file has are refused, never wrapped',
    ],
  },
];

describe('mounts', () => {
  mountSuite('a plain directory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nmrfs-plain-'));
    return { directory, done: () => rm(directory, { recursive: true, force: true }) };
  });

  describe('over /dev/fuse', () => {
    before(function () {
      requireFuse(this);
    });
    mountSuite('the kernel binding', () => MemoryMount.start('kernel'));
    mountSuite('the fuse-native binding', () => MemoryMount.start('fuse-native'), FUSE_NATIVE_SKIPS);
  });
});
