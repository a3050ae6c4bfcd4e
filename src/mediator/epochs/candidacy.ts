// Waits until the active mediator has resigned or is silent, and takes over from it.
import type { MetadataService } from '../../protocol/services/metadata.js';
import { CLIENT_ID_BYTES } from '../../protocol/values/request-ids.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import { randomHex } from '../../runtime/random.js';
import type { Runtime } from '../../runtime/runtime.js';

const POLL_MS = 200;
const QUERY_DEADLINE_MS = 500;
const TAKE_OVER_DEADLINE_MS = 3000;

export interface CandidacyParts {
  /** The configured name of this mediator. */
  name: string;
  /** How long the active one may be silent. */
  silenceMs: number;
  metadata: MetadataService;
  /** Whether there is one metaserver. On a disk that takes nothing it keeps the epoch in memory, which is enough to read. */
  isLone(): boolean;
  runtime: Runtime;
}

/** An epoch, and when it was asked for, on the monotonic clock. */
export interface Won {
  epoch: number;
  sinceMs: number;
}

export class Candidacy {
  /** The name of the active mediator, as far as it is known; '' when there is none. */
  active = '';
  /** The newest that is known. */
  epoch = 0;
  /** Another process under this name is another one. */
  readonly #process: string;
  #isOver = false;

  readonly #parts: CandidacyParts;

  constructor(parts: CandidacyParts) {
    this.#parts = parts;
    this.#process = randomHex(parts.runtime.random, CLIENT_ID_BYTES);
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Resolves when this process is the active mediator; with null when it was stopped before. */
  async won(): Promise<Won | null> {
    const { clock, log } = this.#parts.runtime;
    while (!this.#isOver) {
      let pauseMs = POLL_MS;
      try {
        const won = await this.#try();
        if (typeof won === 'object') return won;
        pauseMs = Math.min(won, POLL_MS);
      } catch (error) {
        rethrowProgramFault(error);
        log.debug('mediator.no_metadata', errorFields(error));
      }
      await sleep(clock, pauseMs);
    }
    return null;
  }

  /** With the epoch, or with the milliseconds after which the active one may have been silent for long enough. */
  async #try(): Promise<Won | number> {
    const { name, silenceMs, metadata, runtime } = this.#parts;
    const sinceMs = runtime.clock.monotonicMs();
    const query = { name: 'mediator', request: {} } as const;
    const last = await metadata.query(query, { deadlineMs: QUERY_DEADLINE_MS });
    this.active = last.name;
    this.epoch = last.epoch;
    // Its own earlier request may have been carried out, and the reply lost.
    const isOwn = last.process === this.#process;
    if (isOwn && this.#parts.isLone()) return { epoch: last.epoch, sinceMs };
    const isVacant = last.name === '' || isOwn || last.silentMs >= silenceMs;
    if (!isVacant || this.#isOver) return Math.max(1, Math.ceil(silenceMs - last.silentMs));
    const request = { name, process: this.#process, seen: last.epoch, afterSilentMs: silenceMs };
    const message = { name: 'takeOver', timeNs: runtime.clock.nowNs(), request, durable: true } as const;
    const { taken, epoch } = await metadata.execute(message, { deadlineMs: TAKE_OVER_DEADLINE_MS });
    return taken ? { epoch, sinceMs } : POLL_MS;
  }
}
