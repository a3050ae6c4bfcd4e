// All that a server is given from outside, made of Node's own.
import type { Runtime } from '../runtime.js';
import { NodeClock } from './clock.js';
import { nodeDisk } from './disk.js';
import { type NodeLogOptions, nodeLog } from './log.js';
import { nodeNetwork } from './network.js';
import { nodeRandom } from './random.js';

export function nodeRuntime(options: NodeLogOptions): Runtime {
  const log = nodeLog(options);
  return {
    clock: new NodeClock(),
    random: nodeRandom,
    disk: nodeDisk,
    network: nodeNetwork(log),
    log,
  };
}
