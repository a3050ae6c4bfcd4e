// When a mount asks by itself whether what it was answered is durable.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '../../../src/protocol/errors.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { SessionService } from '../../../src/protocol/services/sessions.js';
import { settle } from '../../support/manual-clock.js';
import { CALLER, type Fixture, Flags, fixture, uninterrupted } from './fixture.js';
import { crashBoth, isToldAt, LOST, mounted, SYNC_AFTER_MS } from './lost-changes.js';

describe('a mount that asks by itself for its changes to be durable', () => {
  it('asks a second after the first of them, once for all, and then no more', async () => {
    const parts = await mounted();
    const { operations, files, clock } = parts;
    const before = files.calls.fsync ?? 0;
    for (const name of 'abc') await operations.names.mkdir(ROOT_INODE, name, 0o755, CALLER);
    await clock.advance(SYNC_AFTER_MS - 1);
    assert.equal(files.calls.fsync, before);
    await clock.advance(1);
    assert.equal(files.calls.fsync, before + 1);
    await clock.advance(10 * SYNC_AFTER_MS);
    assert.equal(files.calls.fsync, before + 1);
    const { handle } = await operations.files.create(ROOT_INODE, 'd', 0o644, Flags.WRITE, CALLER);
    await clock.advance(SYNC_AFTER_MS);
    assert.equal(files.calls.fsync, before + 2);
    await operations.content.write(handle, 0, Buffer.from('bytes'), {}, uninterrupted);
    await clock.advance(10 * SYNC_AFTER_MS);
    assert.equal(files.calls.fsync, before + 2);
  });

  it('hands what it hears to the handles that are open', async () => {
    const parts = await mounted();
    const { operations, clock } = parts;
    const handle = operations.directories.open(ROOT_INODE);
    await operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    crashBoth(parts);
    await clock.advance(SYNC_AFTER_MS);
    assert.equal(parts.log.named('mount.changes_lost').length, 1);
    await assert.rejects(operations.directories.fsync(handle), LOST);
  });

  it('asks again until it is answered', async () => {
    const parts = await mounted();
    const { operations, files, clock } = parts;
    await operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    const { fsync } = files;
    let asked = 0;
    files.fsync = async () => {
      asked++;
      throw new ServiceError('DEADLINE', 'the metaserver is away');
    };
    await clock.advance(3 * SYNC_AFTER_MS);
    assert.equal(asked, 3);
    files.fsync = fsync;
    await clock.advance(SYNC_AFTER_MS);
    crashBoth(parts);
    assert.equal(await isToldAt(parts, ROOT_INODE), false);
  });

  it('takes what it was answered for lost where its first question failed, and it has heard nothing since', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const { fsync } = files;
    files.fsync = async () => {
      throw new ServiceError('UNREACHABLE', "the metaserver's disk failed");
    };
    await operations.start();
    files.fsync = fsync;
    await operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    assert.equal(await isToldAt(parts, ROOT_INODE), true);
    await operations.end();
  });

  it('leaves no timer behind, whatever it waits for', async () => {
    const parts = await mounted();
    const { operations, clock } = parts;
    await operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    crashBoth(parts);
    assert.equal(await isToldAt(parts, ROOT_INODE), true);
    await operations.names.mkdir(ROOT_INODE, 'b', 0o755, CALLER);
    assert.equal(clock.pending, 2);
    await operations.end();
    assert.equal(clock.pending, 0);
  });

  it('begins none after its end', async () => {
    const { operations, clock } = await mounted();
    await operations.end();
    await operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    assert.equal(clock.pending, 0);
  });
});

describe('a mount that may have missed what others changed', () => {
  class Sessions {
    #answer: (changes: Awaited<ReturnType<SessionService['changes']>>) => void = () => {};

    readonly service = {
      begin: async () => ({ known: false, last: 0, lost: [], mediator: 'm' }),
      changes: (_request: object, { signal }: { signal: AbortSignal }) =>
        new Promise((resolve, reject) => {
          this.#answer = resolve;
          signal.addEventListener('abort', () => reject(new ServiceError('CANCELLED', 'ended')));
        }),
      end: async () => ({}),
    } as unknown as SessionService;

    tellMissed(): Promise<void> {
      this.#answer({ items: [], last: 0, missed: true });
      return settle();
    }
  }

  function carriedOutAgain(parts: Fixture): void {
    parts.files.verifier = { ...parts.files.verifier, history: 'after the crash' };
  }

  function mediatorRestarted(parts: Fixture): void {
    parts.files.verifier = { ...parts.files.verifier, mediator: 'another/0' };
  }

  it('knows a crash after which all was carried out again from a loss, also when it comes to the next one idle', async () => {
    const sessions = new Sessions();
    const parts = await mounted({ sessions: sessions.service });
    const { operations } = parts;
    carriedOutAgain(parts);
    await sessions.tellMissed();
    await operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    mediatorRestarted(parts);
    assert.equal(await isToldAt(parts, ROOT_INODE), false);
    await operations.end();
  });

  it('asks again where it got no answer', async () => {
    const sessions = new Sessions();
    const parts = await mounted({ sessions: sessions.service });
    const { operations, files, clock } = parts;
    carriedOutAgain(parts);
    const { fsync } = files;
    files.fsync = async () => {
      throw new ServiceError('DEADLINE', 'the metaserver is away');
    };
    await sessions.tellMissed();
    files.fsync = fsync;
    await clock.advance(SYNC_AFTER_MS);
    await operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    mediatorRestarted(parts);
    assert.equal(await isToldAt(parts, ROOT_INODE), false);
    await operations.end();
  });
});
