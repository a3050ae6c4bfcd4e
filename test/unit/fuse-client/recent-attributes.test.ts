import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { RecentAttributes } from '../../../src/fuse-client/cache/recent-attributes.js';
import type { Attributes } from '../../../src/protocol/services/files.js';
import type { Clock } from '../../../src/runtime/clock.js';

const TRUSTED_MS = 1000;

function attributes(revision: number, inode = 7): Attributes {
  return {
    inode,
    kind: 'file',
    mode: 0o644,
    links: 1,
    uid: 0,
    gid: 0,
    sizeBytes: revision,
    allocatedBytes: 0,
    accessTimeNs: 0n,
    modifyTimeNs: 0n,
    changeTimeNs: 0n,
    device: 0,
    blockSizeBytes: 4096,
    extendedAttributes: 0,
    revision,
  };
}

function fixture(): { recent: RecentAttributes; pass(ms: number): void } {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs } as Clock;
  return {
    recent: new RecentAttributes(clock, TRUSTED_MS),
    pass: (ms) => {
      nowMs += ms;
    },
  };
}

describe('attributes of answers to changes', () => {
  it('stand for a question as long as the kernel would not ask', () => {
    const { recent, pass } = fixture();
    recent.remember(attributes(3));
    pass(TRUSTED_MS);
    assert.equal(recent.ofLastChange(7)?.revision, 3);
    pass(1);
    assert.equal(recent.ofLastChange(7), undefined);
  });

  it('win over older ones that arrive later, and give way to newer ones', () => {
    const { recent } = fixture();
    recent.remember(attributes(3));
    recent.remember(attributes(2));
    assert.equal(recent.newest(attributes(2)).revision, 3);
    assert.equal(recent.newest(attributes(4)).revision, 4);
    assert.equal(recent.ofLastChange(7), undefined, 'another mount has changed it');
  });

  it('are forgotten when a change did not say what it left', () => {
    const { recent } = fixture();
    recent.remember(attributes(3));
    recent.forget(7);
    assert.equal(recent.ofLastChange(7), undefined);
  });
});

describe('knowledge that an inode has no extended attributes', () => {
  it('stands for as long as the kernel believes the attributes that said it, whatever they answered', () => {
    const { recent, pass } = fixture();
    assert.ok(!recent.hasNoExtendedAttributes(7));
    recent.newest(attributes(1));
    pass(TRUSTED_MS);
    assert.ok(recent.hasNoExtendedAttributes(7));
    pass(1);
    assert.ok(!recent.hasNoExtendedAttributes(7));
  });

  it('ends with an attribute, also for an answer that is older than that, and when the inode is forgotten', () => {
    const { recent } = fixture();
    recent.remember(attributes(1));
    recent.remember({ ...attributes(2), extendedAttributes: 1 });
    assert.ok(!recent.hasNoExtendedAttributes(7));
    recent.newest(attributes(1));
    assert.ok(!recent.hasNoExtendedAttributes(7));
    recent.remember(attributes(3));
    assert.ok(recent.hasNoExtendedAttributes(7));
    recent.forget(7);
    assert.ok(!recent.hasNoExtendedAttributes(7));
  });
});
