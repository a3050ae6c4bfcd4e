// Requests over no bytes, as only a client on the network can send them: no program's fault of the mediator.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { isProgramFault } from '../../../src/runtime/faults.js';
import { BLOCK, openWithFile, write } from './fixture.js';

describe('zeros over no bytes', () => {
  for (const offset of [0, BLOCK, BLOCK + 1]) {
    it(`at ${offset} trip no assertion`, async () => {
      const { mediator, inode } = await openWithFile();
      await write(mediator, inode, 0, Buffer.alloc(2 * BLOCK, 'x'));
      const request = { inode, offset, length: 0, zeros: true, keepsSize: false, modifyTimeNs: 1n };
      const failure: unknown = await mediator.files.fallocate(request).then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.equal(isProgramFault(failure), false, String(failure));
    });
  }
});
