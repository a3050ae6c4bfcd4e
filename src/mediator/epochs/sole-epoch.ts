// The epoch of a mediator that is the only one of its cluster. It waits for nobody,
// and nobody takes over from it; but a process of its own that was started earlier,
// and still runs somewhere, is refused from then on.
import { ServiceError, wasUnanswered } from '../../protocol/errors.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { limitsFromNow } from '../../protocol/services/within.js';
import { CLIENT_ID_BYTES } from '../../protocol/values/request-ids.js';
import { sleep } from '../../runtime/clock.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';
import { Tenure } from './tenure.js';

const RETRY_MS = 50;

export interface SoleEpochParts {
  /** The configured name of this mediator. */
  name: string;
  metadata: MetadataService;
  deadlineMs: number;
  runtime: Runtime;
}

/**
 * Takes the next epoch. On a disk that takes nothing the metaserver keeps it in memory, which is enough: it lets the mediator read.
 * @throws ServiceError REFUSED, or DEADLINE and the like when the metadata does not answer in time
 */
export async function takeSoleEpoch({ name, metadata, deadlineMs, runtime }: SoleEpochParts): Promise<Tenure> {
  const { clock, log, random } = runtime;
  const process = randomHex(random, CLIENT_ID_BYTES);
  const left = limitsFromNow({ deadlineMs }, deadlineMs, clock);
  for (;;) {
    const sinceMs = clock.monotonicMs();
    try {
      const last = await metadata.query({ name: 'mediator', request: {} }, left());
      const request = { name, process, seen: last.epoch, afterSilentMs: 0 };
      const message = { name: 'takeOver', timeNs: clock.nowNs(), request, durable: true } as const;
      const { taken, epoch } =
        last.process === process ? { taken: true, epoch: last.epoch } : await metadata.execute(message, left());
      const replaced = () => log.error('mediator.replaced', { name, epoch });
      if (taken) return new Tenure({ epoch, sinceMs, isSole: true, clock, replaced });
    } catch (error) {
      const mayTryAgain = error instanceof ServiceError && wasUnanswered(error) && left().deadlineMs > RETRY_MS;
      if (!mayTryAgain) throw error;
    }
    await sleep(clock, RETRY_MS);
  }
}
