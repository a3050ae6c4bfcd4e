// A process whose background work has a fault, as a server of ours would have it.
import { exitOnDefect } from '../../../src/cli/defects.js';
import { Background } from '../../../src/mediator/upkeep/background.js';
import { nodeRuntime } from '../../../src/runtime/node/runtime.js';

const runtime = nodeRuntime({ logLevel: 'info', logName: 'faulty' });
exitOnDefect(runtime.log);
const nothing: { blocks: number[] }[] = [];

async function countBlocks(): Promise<null> {
  runtime.log.info('blocks.counted', { blocks: (nothing[0] as { blocks: number[] }).blocks.length });
  return null;
}

new Background('count', countBlocks, runtime).wake();
// It would go on for ever.
setInterval(() => {}, 1000);
