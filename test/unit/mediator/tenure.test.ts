// A mediator answers only while the metadata has confirmed its epoch lately, and never after another one has taken over.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { SILENCE_MS, Tenure } from '../../../src/mediator/epochs/tenure.js';
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import type { MetaserverService } from '../../../src/protocol/services/metadata.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

const FENCED = { code: 'FENCED' };

describe('the tenure of a mediator', () => {
  let clock: ManualClock;
  let tenure: Tenure;
  let replaced: number;
  /** What the metaserver answers with. */
  let answer: () => Promise<object>;
  let asked: number;
  let metadata: MetaserverService;

  function begin({ isSole = false } = {}): void {
    tenure = new Tenure({ epoch: 5, sinceMs: 0, isSole, clock, replaced: () => replaced++ });
    const method = () => {
      asked++;
      return answer();
    };
    metadata = tenure.watch({ execute: method, query: method, sync: method } as unknown as MetaserverService);
    tenure.begin(() => metadata.sync({}));
  }

  beforeEach(() => {
    clock = new ManualClock();
    replaced = 0;
    asked = 0;
    answer = async () => ({});
    begin();
  });

  it('is sure for less than the silence after which another one takes over', async () => {
    answer = () => Promise.reject(new ServiceError('UNREACHABLE', 'cut off'));
    assert.equal(tenure.isSure, true);
    await clock.advance(SILENCE_MS - 200);
    assert.equal(tenure.isSure, false);
  });

  it('is renewed while it is idle, seven times in a second at most', async () => {
    await clock.advance(10_000);
    assert.equal(tenure.isSure, true);
    assert.ok(asked >= 30 && asked <= 70, `${asked} renewals`);
  });

  it('is not renewed by calls of its own while others confirm it', async () => {
    for (let time = 0; time < 50; time++) {
      await metadata.sync({});
      await clock.advance(100);
    }
    assert.equal(asked, 50);
  });

  it('counts from when a call was sent, and refusals of the namespace confirm it too', async () => {
    let reply = () => {};
    answer = () => new Promise((resolve) => (reply = () => resolve({})));
    const late = metadata.sync({});
    // Renewals find no metaserver.
    answer = () => Promise.reject(new ServiceError('UNREACHABLE', 'cut off'));
    await clock.advance(600);
    reply();
    await late;
    await clock.advance(100);
    assert.equal(tenure.isSure, false);
    answer = () => Promise.reject(new FileError('ENOENT', 'nothing there'));
    await assert.rejects(metadata.sync({}), { code: 'ENOENT' });
    assert.equal(tenure.isSure, true);
  });

  it('is asked for before anything is answered by a process that was stopped, which finds itself replaced', async () => {
    const peers: string[] = [];
    answer = () => Promise.reject(new ServiceError('FENCED', 'another one has taken over'));
    const read = () => tenure.guard(async () => peers.push('read'));
    await read();
    // Nothing runs while it is stopped, no timer either.
    clock.monotonicMs = () => 10_000;
    await assert.rejects(read(), FENCED);
    assert.deepEqual(peers, ['read']);
    assert.equal(replaced, 1);
    await assert.rejects(metadata.sync({}), FENCED);
    assert.equal(asked, 1);
  });

  it('keeps an answer back that was found before the process was stopped', async () => {
    let found = () => {};
    const call = tenure.guard(() => new Promise<void>((resolve) => (found = resolve)));
    await settle();
    answer = () => Promise.reject(new ServiceError('FENCED', 'another one has taken over'));
    clock.monotonicMs = () => 10_000;
    found();
    await assert.rejects(call, FENCED);
  });

  it('keeps calls waiting while the metadata does not answer', async () => {
    answer = () => Promise.reject(new ServiceError('UNREACHABLE', 'cut off'));
    await clock.advance(800);
    let isAnswered = false;
    const call = tenure
      .guard(async () => {})
      .then(() => {
        isAnswered = true;
      });
    await clock.advance(500);
    assert.equal(isAnswered, false);
    answer = async () => ({});
    await clock.advance(100);
    await call;
  });

  it('is doubted when a data server knows of a later epoch, and goes on when the metadata does not', async () => {
    tenure.doubt();
    assert.equal(tenure.isSure, false);
    await settle();
    assert.equal(tenure.isSure, true);
    assert.equal(replaced, 0);
  });

  it('of an only mediator costs no message, and ends like any other', async () => {
    begin({ isSole: true });
    await clock.advance(10_000);
    assert.equal(tenure.isSure, true);
    answer = () => Promise.reject(new ServiceError('FENCED', 'another one has taken over'));
    await assert.rejects(metadata.sync({}), FENCED);
    assert.equal(tenure.isSure, false);
    assert.equal(replaced, 1);
  });
});
