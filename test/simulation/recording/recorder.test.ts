// A recording looks at a run and leaves it as it is.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { MessageEvent, RecordedEvent } from '../../../src/recording/format.js';
import { type Recording, RecordingReader } from '../../../src/recording/reader.js';
import { isAgreed } from '../../../src/recording/sentences.js';
import { FAULTS } from '../catalog/table/faults.js';
import { measure } from '../catalog/table/measure.js';
import { shapeFor } from '../shapes.js';
import { Simulation } from '../simulation.js';
import { processesOf, Recorder } from './recorder.js';

const STEPS = 60;

function recording(processes: ReturnType<typeof processesOf> = []): { recorder: Recorder; read: () => Recording } {
  let text = '';
  const recorder = new Recorder({
    write: (lines) => {
      text += lines;
    },
    ...{ title: 'test', command: '', processes },
  });
  const read = (): Recording => {
    const reader = new RecordingReader();
    reader.push(text);
    return reader.end();
  };
  return { recorder, read };
}

describe('a recording of a simulated run', function () {
  this.timeout(60_000);

  for (const seed of [3, 17]) {
    it(`leaves seed ${seed} as it is, and has what happened`, async () => {
      const shape = shapeFor(seed, {});
      const options = { seed, steps: STEPS, mode: 'safe', shape } as const;
      const without = await new Simulation(options).run();
      const { recorder, read } = recording(processesOf(shape));
      const recorded = await new Simulation({ ...options, recorder }).run();
      assert.equal(recorded.digest, without.digest);
      assert.deepEqual(recorded.statistics, without.statistics);
      const { events, header, problem } = read();
      assert.equal(problem, null);
      assert.equal(header.processes.length, shape.clients + shape.mediators + shape.metaservers + shape.servers);
      checkMessages(events, new Set(header.processes.map(({ name }) => name)));
      const votes = events.filter((event) => event.kind === 'vote');
      assert.ok(votes.some(isAgreed), 'some read was answered');
      assert.ok(events.some((event) => event.kind === 'state' && event.state === 'runs'));
    });
  }

  it('leaves the table of protocols as it is, and has who leads, who asks for votes, and what was lost', async () => {
    const fault = FAULTS.find(({ name }) => name.startsWith('the network splits')) ?? assert.fail();
    const { moments: _, ...without } = await measure('raft', fault);
    const { recorder, read } = recording();
    const { moments, ...recorded } = await measure('raft', fault, recorder);
    assert.deepEqual(recorded, without);
    const { events } = read();
    checkMessages(
      events,
      new Set(['s1', 's2', 's3', 's4', 's5', 'client1', 'client2', 'client3', 'client4', 'client5']),
    );
    const kinds = new Set(events.map(({ kind }) => kind));
    for (const kind of ['message', 'role', 'election', 'term', 'link', 'state', 'note'] as const)
      assert.ok(kinds.has(kind), kind);
    const leaders = events.filter((event) => event.kind === 'role' && event.role === 'leader');
    assert.ok(new Set(leaders.map((event) => event.kind === 'role' && event.process)).size >= 2, 'another one leads');
    assert.ok(
      events.some((event) => event.kind === 'message' && event.arrived === null),
      'messages are lost',
    );
    const marks = events.filter((event) => event.kind === 'note' && event.level === 'mark').map(({ t }) => t / 1000);
    assert.ok(
      marks.some((ms) => Math.abs(ms - moments.differentMaps) < 0.001),
      'the fault ends',
    );
  });
});

/** Each has a sender and a receiver that are known, and arrives after it was sent; answers have been asked for. */
function checkMessages(events: readonly RecordedEvent[], names: ReadonlySet<string>): void {
  const messages = events.filter((event): event is MessageEvent => event.kind === 'message');
  assert.ok(messages.length > 300);
  for (const { from, to, t, arrived, name } of messages) {
    assert.ok(names.has(from) && names.has(to) && from !== to, `${from} → ${to}: ${name}`);
    assert.ok(arrived == null || arrived >= t, `${name} arrives before it is sent`);
    assert.notEqual(name, '');
  }
  const arrived = messages.filter((message) => message.arrived !== null);
  assert.ok(arrived.length > messages.length / 2);
}
