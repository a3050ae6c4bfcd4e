// All that a server is given from outside, in one bundle.
import type { Clock } from './clock.js';
import type { Disk } from './disk.js';
import type { Log } from './log.js';
import type { Network } from './network.js';
import type { Random } from './random.js';

export interface Runtime {
  clock: Clock;
  random: Random;
  disk: Disk;
  network: Network;
  log: Log;
}
