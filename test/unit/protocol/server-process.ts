// A server in a process of its own, for tests that kill it: address and
// Unix-domain path as parameters; sends its real address to its parent.
import { serve } from '../../../src/protocol/http/server.js';
import { nodeRuntime } from '../../../src/runtime/node/runtime.js';

const [address = '127.0.0.1:0', unixPath = ''] = process.argv.slice(2);
const server = await serve(
  {
    address,
    ...(unixPath === '' ? {} : { unixPath }),
    services: { test: { echo: async (body: object) => body, wait: () => new Promise(() => {}) } },
  },
  nodeRuntime({ logLevel: 'error', logName: 'server' }),
);
process.send?.(server.address);
process.on('disconnect', () => process.exit());
