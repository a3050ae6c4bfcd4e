// One snapshot for all who look, and none while nobody does.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { LiveFeed } from '../../../../src/protocol/page/live-feed.js';
import type { HttpStream } from '../../../../src/runtime/network.js';
import { ManualClock } from '../../../support/manual-clock.js';

class Viewer implements HttpStream {
  readonly heard: string[] = [];
  backlogBytes = 0;
  #closed: () => void = () => {};
  write(chunk: Uint8Array): void {
    this.heard.push(Buffer.from(chunk).toString());
  }
  queuedBytes(): number {
    return this.backlogBytes;
  }
  onClose(closed: () => void): void {
    this.#closed = closed;
  }
  end(): void {
    this.#closed();
  }
  drop(): void {
    this.#closed();
  }
}

describe('the live events of the page', () => {
  let clock: ManualClock;
  let made: number;
  let feed: LiveFeed;

  beforeEach(() => {
    clock = new ManualClock();
    made = 0;
    feed = new LiveFeed({ first: () => ({ history: [1] }), snapshot: async () => ++made }, clock);
  });

  function look(): Viewer {
    const viewer = new Viewer();
    feed.reply().stream?.(viewer);
    return viewer;
  }

  it('come with what was before, then once a second', async () => {
    const viewer = look();
    await clock.advance(2500);
    assert.deepEqual(viewer.heard, [
      'event: history\ndata: [1]\n\n',
      'event: snapshot\ndata: 1\n\n',
      'event: snapshot\ndata: 2\n\n',
      'event: snapshot\ndata: 3\n\n',
    ]);
  });

  it('are made once for a hundred viewers', async () => {
    const viewers = Array.from({ length: 100 }, look);
    await clock.advance(4500);
    assert.equal(made, 5);
    assert.equal(feed.viewers, 100);
    for (const { heard } of viewers) assert.equal(heard.at(-1), 'event: snapshot\ndata: 5\n\n');
  });

  it('are not made while nobody looks', async () => {
    await clock.advance(5000);
    assert.equal(made, 0);
    const viewer = look();
    await clock.advance(1500);
    viewer.end();
    await clock.advance(5000);
    assert.equal(made, 2);
    assert.equal(clock.pending, 0);
    assert.equal(feed.viewers, 0);
  });

  it('show who comes later the last one at once', async () => {
    look();
    await clock.advance(500);
    assert.deepEqual(look().heard, ['event: history\ndata: [1]\n\n', 'event: snapshot\ndata: 1\n\n']);
  });

  it('spare a viewer that is slow to read', async () => {
    const slow = look();
    await clock.advance(500);
    slow.backlogBytes = 1_000_000;
    await clock.advance(3000);
    assert.equal(slow.heard.length, 2);
    slow.backlogBytes = 0;
    await clock.advance(1000);
    assert.equal(slow.heard.at(-1), 'event: snapshot\ndata: 5\n\n');
  });

  it('let go of a viewer that reads nothing for a minute', async () => {
    const [reading, silent] = [look(), look()];
    silent.backlogBytes = 1_000_000;
    await clock.advance(50_000);
    assert.equal(feed.viewers, 2);
    await clock.advance(15_000);
    assert.equal(feed.viewers, 1);
    assert.equal(reading.heard.length, 1 + made);
  });

  it('are refused to the thousand and first', async () => {
    for (let count = 0; count < 1000; count++) look();
    assert.equal(feed.reply().status, 503);
  });
});
