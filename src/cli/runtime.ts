// What a subcommand that only asks something is given: the real world, and no
// log, since what goes wrong is told once, on stderr, by the command itself.
import { silentLog } from '../runtime/log.js';
import { nodeRuntime } from '../runtime/node/runtime.js';
import type { Runtime } from '../runtime/runtime.js';

export function commandRuntime(): Runtime {
  return { ...nodeRuntime({ logLevel: 'error', logName: 'command' }), log: silentLog };
}
