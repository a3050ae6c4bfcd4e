// The clusters that a seed chooses from.
import { quorumProblem } from '../../src/protocol/values/quorum.js';
import type { ClusterShape } from './cluster-shape.js';
import { SeededRandom } from './world/seeded-random.js';

/** N, Qr, Qw: the default first, then what is at the edge of something. */
const QUORUMS: readonly (readonly [servers: number, readQuorum: number, writeQuorum: number])[] = [
  [5, 3, 5],
  [5, 3, 4],
  [5, 2, 4],
  [5, 1, 5],
  [5, 3, 3],
  [4, 2, 3],
  [3, 2, 3],
  [3, 2, 2],
  [3, 1, 3],
  [7, 3, 5],
  [2, 1, 2],
  [1, 1, 1],
];

const KIB = 1024;

/** The shape that belongs to a seed, with the given parts of it fixed. Throws when the quorums do not fit. */
export function shapeFor(seed: number, fixed: Partial<ClusterShape> = {}): ClusterShape {
  const random = new SeededRandom(seed ^ 0x5eed);
  const [servers, readQuorum, writeQuorum] = random.pick(QUORUMS);
  const chosen: ClusterShape = {
    servers: fixed.servers ?? servers,
    // Of another sequence, so that a seed keeps the rest of its shape.
    metaservers: new SeededRandom(seed ^ 0x3e7a).pick([1, 1, 1, 2, 3, 3, 3, 4, 5]),
    mediators: new SeededRandom(seed ^ 0x2ed1).pick([1, 2]),
    protocol: new SeededRandom(seed ^ 0x9107).pick(['raft', 'viewstamped'] as const),
    readQuorum,
    writeQuorum,
    audit: random.pick(['all', 'all', 'quorum'] as const),
    clients: random.between(2, 4),
    answersEarly: false,
    // With the smaller ones all files are small enough to be read ahead.
    blockSizeBytes: new SeededRandom(seed ^ 0xb10c).pick([8, 16, 16]) * KIB,
    segmentBytes: random.pick([64, 256, 1024]) * KIB,
    commitIntervalMs: random.pick([50, 500, 5000]),
  };
  if (fixed.servers !== undefined) {
    // A majority reads and all write, unless something else is asked for.
    chosen.readQuorum = Math.floor(fixed.servers / 2) + 1;
    chosen.writeQuorum = fixed.servers;
  }
  const shape = { ...chosen, ...fixed };
  const problem = quorumProblem(shape.servers, shape);
  if (problem !== null) throw new Error(problem);
  return shape;
}
