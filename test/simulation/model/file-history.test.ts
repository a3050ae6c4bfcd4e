import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Contradiction, FileHistory } from './file-history.js';
import { bytesOf } from './file-state.js';

const ONE = 11;
const OTHER = 12;
const write = (source: number) => ({ extents: [{ offset: 0, length: 100, source }], truncateTo: null });
const content = (source: number) => bytesOf(source, 0, 100);

/** A file that holds what ONE wrote, and a second write on its way. */
function rewriting(): FileHistory {
  const history = new FileHistory(1);
  history.writeStarts(1, write(ONE));
  history.writeSucceeds(1, 100);
  history.writeStarts(2, write(OTHER));
  return history;
}

function look(history: FileHistory, request: number, source: number): void {
  history.lookStarts(request);
  history.readSucceeds(request, 0, 100, content(source));
}

describe("the model of a file's history", () => {
  it('takes the old or the new content while a write is on its way', () => {
    look(rewriting(), 3, ONE);
    look(rewriting(), 3, OTHER);
  });

  it('takes no old content once the new has been seen', () => {
    const history = rewriting();
    look(history, 3, OTHER);
    assert.throws(() => look(history, 4, ONE), Contradiction);
  });

  it('takes old content from a read that began before the new was seen', () => {
    const history = rewriting();
    history.lookStarts(3);
    look(history, 4, OTHER);
    history.readSucceeds(3, 0, 100, content(ONE));
  });

  it('takes no old content after a write was acknowledged, nor new content after it was refused', () => {
    const acknowledged = rewriting();
    acknowledged.writeSucceeds(2, 100);
    assert.throws(() => look(acknowledged, 3, ONE), Contradiction);
    const refused = rewriting();
    refused.writeFails(2);
    assert.throws(() => look(refused, 3, OTHER), Contradiction);
  });

  it('takes no refusal of a write that was seen to have happened', () => {
    const history = rewriting();
    look(history, 3, OTHER);
    assert.throws(() => history.writeFails(2), Contradiction);
  });

  it('takes either content for a write whose outcome stays unknown, and then always the same', () => {
    for (const [seen, unseen] of [
      [ONE, OTHER],
      [OTHER, ONE],
    ] as const) {
      const history = rewriting();
      history.writeSettles(2);
      look(history, 3, seen);
      assert.throws(() => look(history, 4, unseen), Contradiction);
    }
  });

  it('lets a crash undo what was seen and never acknowledged, and nothing else', () => {
    const seen = rewriting();
    look(seen, 3, OTHER);
    seen.metaserverCrashed();
    look(seen, 4, ONE);
    const acknowledged = rewriting();
    acknowledged.writeSucceeds(2, 100);
    acknowledged.metaserverCrashed();
    assert.throws(() => look(acknowledged, 3, ONE), Contradiction);
  });

  it('takes two concurrent writes in either order, and a size only of a moment that can have been', () => {
    const history = rewriting();
    history.writeStarts(3, { extents: [], truncateTo: 10 });
    history.writeSucceeds(2, 100);
    history.writeSucceeds(3, 10);
    history.lookStarts(4);
    assert.throws(() => history.sizeSeen(4, 50), Contradiction);
    // The cut came last, or its bytes were written over.
    history.lookStarts(5);
    history.sizeSeen(5, 10);
    history.lookStarts(6);
    assert.throws(() => history.sizeSeen(6, 100), Contradiction);
  });
});
