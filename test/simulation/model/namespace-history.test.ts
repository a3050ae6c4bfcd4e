// What a client may see of its names around a crash of the metaserver.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { Contradiction } from './file-history.js';
import { NamespaceHistory } from './namespace-history.js';

describe('the model of a folder', () => {
  let names: NamespaceHistory;

  beforeEach(() => {
    names = new NamespaceHistory('client1');
    names.starts({ kind: 'create', name: 'a', exclusive: true });
    names.answered({ state: 'done', inode: 5, created: true });
    names.synced(names.mark);
    names.starts({ kind: 'unlink', name: 'a' });
    names.answered({ state: 'done' });
    names.metaserverCrashed();
  });

  function listed(entries: [string, number][]): void {
    names.starts({ kind: 'list' });
    names.answered({ state: 'done', entries: new Map(entries) });
  }

  it('lets a mediator that has not heard of the crash answer what the crash has undone', () => {
    names.starts({ kind: 'lookup', name: 'a' });
    names.answered({ state: 'error', code: 'ENOENT' });
    names.mediatorForgot();
    listed([['a', 5]]);
  });

  it('believes what is answered after the mediator has heard of it', () => {
    names.mediatorForgot();
    names.starts({ kind: 'lookup', name: 'a' });
    names.answered({ state: 'error', code: 'ENOENT' });
    assert.throws(() => listed([['a', 5]]), Contradiction);
  });

  it('lets nobody answer what never was', () => {
    names.starts({ kind: 'lookup', name: 'b' });
    assert.throws(() => names.answered({ state: 'done', inode: 6 }), Contradiction);
  });
});
