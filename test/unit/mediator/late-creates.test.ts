// A file that is made for a mount that has given up waiting: nobody will say that it is closed.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { CALLER, openCluster } from './fixture.js';

describe('a file that is made too late', () => {
  for (const [when, counted] of [
    ['in time', 1],
    ['after its mount has given up', 0],
  ] as const) {
    it(`counts as open when it is made ${when}: ${counted}`, async () => {
      const { mediator } = await openCluster();
      const caller = new AbortController();
      const options = { peer: {}, signal: caller.signal };
      await mediator.sessions.begin({ client: 'here', open: [], locks: [], mediator: null }, options);
      const request = {
        parent: ROOT_INODE,
        name: 'a',
        mode: 0o644,
        exclusive: true,
        forWriting: false,
        caller: CALLER,
      };
      const making = mediator.files.create(request, options);
      if (counted === 0) caller.abort();
      await making;
      assert.equal(mediator.kept().sessionFiles, counted);
    });
  }
});
