import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Work } from '../../../../tools/curves/programs/work.js';
import { type Job, type Point, takeTurns } from '../../../../tools/curves/turns.js';

const PROGRESS = { progress: () => {} };
const NOTHING = { mediator: 0, metaservers: 0, dataservers: 0 };

describe('turns', () => {
  it('do each job at every point before the next one, count all rounds but the first two, and tidy up with time for it', async () => {
    const done: string[] = [];
    let spentMs = 0;
    const point = (x: number): Point => ({
      ...{ x, mountPoints: ['/mnt'], atOnce: 1 },
      servers: {
        spent: async () => ({ mediator: spentMs, metaservers: 2 * spentMs, dataservers: 0 }),
        // Upkeep is the job's that it comes after.
        untilResting: async () => {
          done.push(`${x} rests`);
          spentMs += 10;
          return { mediator: spentMs, metaservers: 2 * spentMs, dataservers: 0 };
        },
      },
      programs: {
        run: async (works: readonly Work[]) => {
          for (const work of works) done.push(`${x} ${work.kind} ${'folder' in work ? work.folder : ''}`.trim());
          spentMs += 30;
          return { amount: 10 * x, seconds: 2 };
        },
      },
    });
    const job = (name: string, kind: 'read' | 'stat'): Job => ({
      ...{ name, unit: '/s', cold: false },
      works: () => [{ kind, paths: [] }],
    });
    const points = [point(1), point(3)];
    const figures = await takeTurns(points, [job('one', 'read'), job('other', 'stat')], { rounds: 2, ...PROGRESS });
    const round = (number: number) => [
      ...['1 read', '1 rests', '3 read', '3 rests', '1 stat', '1 rests', '3 stat', '3 rests'],
      ...[1, 3].map((x) => `${x} remove /mnt/round-${number}-${x}-0`),
      // Or the next job would have what is collected then.
      ...['1 rests', '3 rests'],
    ];
    assert.deepEqual(done, [0, 1, 2, 3].flatMap(round));
    assert.deepEqual(figures.points, [1, 3]);
    const processorMs = [
      Array(2).fill({ mediator: 4, metaservers: 8, dataservers: 0 }),
      Array(2).fill({ mediator: 1.333, metaservers: 2.667, dataservers: 0 }),
    ];
    const rounds = [
      [5, 5],
      [15, 15],
    ];
    assert.deepEqual(figures.series, [
      { name: 'one', unit: '/s', rounds, processorMs },
      { name: 'other', unit: '/s', rounds, processorMs },
    ]);
  });

  it('give each program a folder of its own, on the mounts in turns', async () => {
    const seen: string[] = [];
    const point: Point = {
      ...{ x: 8, mountPoints: ['/a', '/b'], atOnce: 3 },
      servers: { spent: async () => NOTHING, untilResting: async () => NOTHING },
      programs: {
        run: async (works: readonly Work[]) => {
          for (const work of works) if (work.kind === 'remove') seen.push(work.folder);
          return { amount: 1, seconds: 1 };
        },
      },
    };
    await takeTurns([point], [], { rounds: 0, ...PROGRESS });
    const ofRound = (round: number) => [`/a/round-${round}-8-0`, `/b/round-${round}-8-1`, `/a/round-${round}-8-2`];
    assert.deepEqual(seen, [...ofRound(0), ...ofRound(1)]);
  });

  it('bring a shared cluster to each point before it is measured', async () => {
    const done: string[] = [];
    const servers = {
      spent: async () => NOTHING,
      untilResting: async () => {
        done.push('rest');
        return NOTHING;
      },
    };
    const point = (x: number): Point => ({
      ...{ x, servers, mountPoints: ['/mnt'], atOnce: 1 },
      programs: {
        run: async ([work]: readonly Work[]) => {
          done.push(`${work?.kind} ${x}`);
          return { amount: 1, seconds: 1 };
        },
      },
      before: async () => {
        done.push(`bring ${x}`);
      },
    });
    const job: Job = { name: 'one', unit: '/s', cold: false, works: () => [{ kind: 'read', paths: [] }] };
    await takeTurns([point(1), point(2)], [job], { rounds: 0, ...PROGRESS });
    const round = [
      ...[1, 2].flatMap((x) => [`bring ${x}`, 'rest', `read ${x}`, 'rest']),
      'remove 1',
      'remove 2',
      'rest',
    ];
    assert.deepEqual(done, [...round, ...round]);
  });
});
