// The rows of a member: what it applies is what the batch says, whatever becomes of the changes that the batch was made of.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { AppliedRows } from '../../../src/metaserver/storage/applied-rows.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import { TestRuntime } from './harness.js';

const MARK = { index: 0, term: 0, members: { voters: ['meta1/0'], learners: [] } };

describe('the rows of a member', () => {
  it('get a batch that was given up and is committed all the same as it was encoded', async () => {
    const base = await memoryEngine(new MemoryStore())('/store', new TestRuntime());
    const rows = new AppliedRows(base, { self: 'meta1/0', mark: MARK, digest: 0n });
    const changes = new Map([['a', Buffer.from('1')]]);
    const data = rows.encode(changes);
    rows.proposalFailed();
    // An engine whose write has failed adds what comes after to what it writes next.
    changes.set('b', Buffer.from('2'));
    rows.apply([{ index: 1, term: 1, content: { kind: 'data', data, bytes: data.length } }]);
    assert.equal(Buffer.from(rows.get('a') ?? []).toString(), '1');
    assert.equal(rows.get('b'), undefined);
  });
});
