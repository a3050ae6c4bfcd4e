// How one of several mediators becomes the active one, over a metaserver whose replies and disk may fail.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Candidacy, type Won } from '../../../src/mediator/epochs/candidacy.js';
import { SILENCE_MS } from '../../../src/mediator/epochs/tenure.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import { nodeRandom } from '../../../src/runtime/node/random.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryNetwork } from '../../support/memory-network.js';
import { RecordingLog } from '../../support/recording-log.js';
import { memoryPlaces, TestMetaserver } from '../metaserver/harness.js';

describe('a mediator that would be the active one', () => {
  let server: TestMetaserver;
  let clock: ManualClock;
  /** How many takeovers are still carried out without a reply. */
  let unanswered: number;
  let candidates: Candidacy[];

  beforeEach(async () => {
    server = await TestMetaserver.open(memoryPlaces.make().factory);
    clock = new ManualClock();
    unanswered = 0;
    candidates = [];
  });

  afterEach(async () => {
    for (const candidate of candidates) candidate.stop();
    await pass(2 * SILENCE_MS);
    assert.equal(clock.pending, 0);
    await server.close();
  });

  /** Both clocks go on: that of the mediators, and that of the metaserver. */
  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      server.runtime.advance(10);
      await clock.advance(10);
    }
  }

  function begin(name: string, isLone: boolean): Promise<Won | null> {
    const metadata = {
      query: (message: never) => server.service.query(message),
      async execute(message: never) {
        const result = await server.service.execute(message);
        if (unanswered-- > 0) throw new ServiceError('OUTCOME_UNKNOWN', 'the disk failed');
        return result;
      },
    } as unknown as MetadataService;
    const random = { fraction: () => 0.5, bytes: nodeRandom.bytes };
    const runtime = { clock, network: new MemoryNetwork(), log: new RecordingLog(), random, disk: nodeDisk };
    const candidate = new Candidacy({ name, silenceMs: SILENCE_MS, metadata, isLone: () => isLone, runtime });
    candidates.push(candidate);
    return candidate.won();
  }

  it('is, while nobody is; others wait until it is silent', async () => {
    const first = begin('a', true);
    await pass(10);
    const won = await first;
    assert.equal(won?.epoch, (await server.ask('mediator', {})).epoch);
    const later: (Won | null)[] = [];
    void begin('b', true).then((each) => later.push(each));
    await pass(SILENCE_MS / 2);
    assert.equal(later.length, 0);
    await pass(SILENCE_MS);
    assert.ok((later[0]?.epoch ?? 0) > (won?.epoch ?? 0));
  });

  for (const isLone of [true, false]) {
    it(`is, though the reply was lost, without waiting for its own silence (${isLone ? 'one' : 'several'})`, async () => {
      unanswered = 1;
      const winning = begin('a', isLone);
      await pass(SILENCE_MS / 2);
      assert.equal((await winning)?.epoch, (await server.ask('mediator', {})).epoch);
    });
  }

  it('is over a lone metaserver whose disk takes nothing, and is not over several of which none stores it', async () => {
    unanswered = Number.POSITIVE_INFINITY;
    const winning = begin('a', true);
    await pass(SILENCE_MS);
    assert.notEqual(await winning, null);
    const later: (Won | null)[] = [];
    void begin('b', false).then((each) => later.push(each));
    await pass(4 * SILENCE_MS);
    assert.equal(later.length, 0);
  });
});
