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
  /** So long is the largest file, and a little longer, so that its last block is not whole. */
  fileBlocks: number;
  attributeTimeoutMs: number;
  maximumDirtyMebibytes: number;
}

const KIB = 1024;
const QUORUMS: readonly Pick<Shape, 'servers' | 'readQuorum' | 'writeQuorum' | 'onWriteQuorumLost'>[] = [
  { servers: 5, readQuorum: 3, writeQuorum: 5, onWriteQuorumLost: 'block' },
  { servers: 5, readQuorum: 2, writeQuorum: 4, onWriteQuorumLost: 'fail' },
  { servers: 5, readQuorum: 3, writeQuorum: 4, onWriteQuorumLost: 'fail' },
  { servers: 3, readQuorum: 2, writeQuorum: 3, onWriteQuorumLost: 'block' },
];
/** Files of many large blocks outgrow what the mount stores in a single commit. */
const BLOCK_SIZES = [4, 8, 16, 16, 32, 64, 128, 128, 1024].map((size) => size * KIB);
const FILE_BLOCKS = [2, 5, 5, 12];

/** Seeds that follow each other get different quorums. */
export function shapeOf(seed: number): Shape {
  const random = new SeededRandom(seed ^ 0x5eed);
  const quorums = QUORUMS[seed % QUORUMS.length] ?? random.pick(QUORUMS);
  return {
    ...quorums,
    audit: random.pick(['all', 'all', 'quorum'] as const),
    blockSizeBytes: random.pick(BLOCK_SIZES),
    fileBlocks: random.pick(FILE_BLOCKS),
    attributeTimeoutMs: random.pick([0, 1000, 10_000]),
    maximumDirtyMebibytes: random.pick([1, 64]),
  };
}

export function shapeText(shape: Shape): string {
  const { servers, readQuorum, writeQuorum, onWriteQuorumLost, audit, blockSizeBytes, fileBlocks } = shape;
  const quorums = `N=${servers} Qr=${readQuorum} Qw=${writeQuorum} ${onWriteQuorumLost}`;
  return `${quorums}, audit ${audit}, up to ${fileBlocks} blocks of ${blockSizeBytes / KIB} KiB`;
}
