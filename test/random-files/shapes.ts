// The clusters that a seed chooses from. Operations must all succeed while
// servers fail, which two kinds of cluster promise: one whose writes wait for
// all servers (block), where N − Qr may be in trouble at any time; and one
// that writes to Qw < N (fail), where N − Qw may be away, and Qw − Qr in
// trouble in all, since a block may be on Qw of them only.
import { SeededRandom } from '../simulation/world/seeded-random.js';

export interface Shape {
  servers: number;
  readQuorum: number;
  writeQuorum: number;
  onWriteQuorumLost: 'fail' | 'block';
  audit: 'all' | 'quorum';
  blockSizeBytes: number;
}

const KIB = 1024;
const QUORUMS: readonly Pick<Shape, 'servers' | 'readQuorum' | 'writeQuorum' | 'onWriteQuorumLost'>[] = [
  { servers: 5, readQuorum: 3, writeQuorum: 5, onWriteQuorumLost: 'block' },
  { servers: 5, readQuorum: 2, writeQuorum: 4, onWriteQuorumLost: 'fail' },
  { servers: 5, readQuorum: 3, writeQuorum: 4, onWriteQuorumLost: 'fail' },
  { servers: 3, readQuorum: 2, writeQuorum: 3, onWriteQuorumLost: 'block' },
];
const BLOCK_SIZES = [8 * KIB, 16 * KIB, 64 * KIB, 128 * KIB];

/** Seeds that follow each other get different quorums. */
export function shapeOf(seed: number): Shape {
  const random = new SeededRandom(seed ^ 0x5eed);
  const quorums = QUORUMS[seed % QUORUMS.length] ?? random.pick(QUORUMS);
  return {
    ...quorums,
    audit: random.pick(['all', 'all', 'quorum'] as const),
    blockSizeBytes: random.pick(BLOCK_SIZES),
  };
}

export function shapeText({
  servers,
  readQuorum,
  writeQuorum,
  onWriteQuorumLost,
  audit,
  blockSizeBytes,
}: Shape): string {
  return `N=${servers} Qr=${readQuorum} Qw=${writeQuorum} ${onWriteQuorumLost}, audit ${audit}, blocks of ${blockSizeBytes / KIB} KiB`;
}
