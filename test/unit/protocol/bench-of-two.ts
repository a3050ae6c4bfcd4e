// A server and its clients over the memory network, on a clock that the test
// turns: everything about connections but the sockets.
import { type RunningServer, type ServeOptions, serve } from '../../../src/protocol/http/server.js';
import { connectRemote, type Remote, type RemoteOptions } from '../../../src/protocol/wire/client.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import { nodeRandom } from '../../../src/runtime/node/random.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryNetwork } from '../../support/memory-network.js';
import { RecordingLog } from '../../support/recording-log.js';

export const ADDRESS = 'host:7000';

export class BenchOfTwo {
  readonly clock = new ManualClock();
  readonly network = new MemoryNetwork();
  readonly log = new RecordingLog();
  readonly runtime: Runtime = {
    clock: this.clock,
    network: this.network,
    log: this.log,
    random: { fraction: () => 0.5, bytes: nodeRandom.bytes },
    disk: nodeDisk,
  };

  serve(services: Record<string, object>, more: Partial<ServeOptions> = {}): Promise<RunningServer> {
    return serve({ address: ADDRESS, services, ...more }, this.runtime);
  }

  remote(more: Partial<RemoteOptions> = {}): Remote {
    const options: RemoteOptions = { address: ADDRESS, name: 'data1', deadlineMs: 1000, whileDown: 'wait', ...more };
    return connectRemote(options, this.runtime);
  }
}

/** A promise and the function that fulfils it. */
export function gate<T>(): { opened: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
