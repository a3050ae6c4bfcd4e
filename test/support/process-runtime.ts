// Clock, randomness and log of a helper process in a test. It has no use for
// disk and network: touching them is a mistake of the test.
import { randomBytes } from 'node:crypto';
import type { Runtime } from '../../src/runtime/runtime.js';

export function processRuntime(): Runtime {
  const line = (level: string) => (event: string, fields?: object) => {
    if (level === 'debug' && process.env.LOG_DEBUG === undefined) return;
    process.stderr.write(`${JSON.stringify({ level, event, ...fields })}\n`);
  };
  return {
    clock: {
      nowNs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
      monotonicMs: () => performance.now(),
      after: (delayMs, action) => {
        const timer = setTimeout(action, delayMs);
        return { cancel: () => clearTimeout(timer) };
      },
    },
    random: { fraction: () => Math.random(), bytes: (count) => randomBytes(count) },
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    get disk(): never {
      throw new Error('this process has no disk');
    },
    get network(): never {
      throw new Error('this process has no network');
    },
  };
}
