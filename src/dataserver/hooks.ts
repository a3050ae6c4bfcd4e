// Faults on request, for tests: wrong bytes with good hashes, and an end of the
// process. Refused unless the configuration allows them.
import { Buffer } from 'node:buffer';
import { malformed, ServiceError } from '../protocol/errors.js';
import type { HookService } from '../protocol/services/blocks.js';
import type { Clock } from '../runtime/clock.js';
import { checkKey, checkLength } from './checks.js';
import type { DataserverExits, DataserverOptions } from './options.js';
import type { Store } from './store.js';

/** Time for the answer to be sent before the process ends. */
const EXIT_DELAY_MS = 50;

export function hooksOf(
  { testHooks, name, number }: DataserverOptions,
  store: Store,
  clock: Clock,
  exits: DataserverExits,
): HookService {
  const checkAllowed = () => {
    if (!testHooks) throw new ServiceError('REFUSED', `${name}: test hooks are off (testHooks: true allows them)`);
  };
  return {
    async corrupt(request) {
      checkAllowed();
      const key = checkKey(request);
      const { text = `This is a corrupted data${number}` } = request;
      if (typeof text !== 'string') throw malformed('text must be a text');
      const data = Buffer.from(text);
      checkLength(data.length);
      if (!store.has(key)) {
        throw new ServiceError('FAILED', `${name} has no version ${key.version} of block ${key.inode}/${key.index}`);
      }
      // With page hashes of the wrong bytes, as if the replica had been sent these: only the vote can tell.
      const { state } = await store.put({ ...key, data }, true, true);
      if (state !== 'stored') throw new ServiceError('FAILED', `${name} could not store the corruption: ${state}`);
      return {};
    },

    async terminate() {
      checkAllowed();
      clock.after(EXIT_DELAY_MS, () => exits.terminate());
      return {};
    },

    async restart({ blank }) {
      checkAllowed();
      if (typeof blank !== 'boolean') throw malformed('blank must be true or false');
      clock.after(EXIT_DELAY_MS, () => exits.restart(blank));
      return {};
    },
  };
}
