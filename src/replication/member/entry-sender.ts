// Messages of a core, with the entries that they name.
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import type { Core, Entry, Envelope, Outgoing } from '../core/core.js';
import type { MemberLog } from '../log/memory-log.js';
import type { Transport } from './transport.js';

export interface EntrySenderParts {
  core: Core;
  log: MemberLog;
  transport: Transport;
  runtime: { readonly log: Log };
}

export class EntrySender {
  readonly #parts: EntrySenderParts;

  constructor(parts: EntrySenderParts) {
    this.#parts = parts;
  }

  post(message: Outgoing<Envelope>): void {
    const { log, transport, runtime } = this.#parts;
    if (!('first' in message)) {
      transport.send(message);
      return;
    }
    const { first, last, ...fields } = message as Envelope & { first: number; last: number };
    const entries = this.inMemory(first, last);
    if (entries !== undefined) {
      transport.send({ ...fields, entries });
      return;
    }
    // Compacted or replaced meanwhile: the message is as good as lost.
    if (!log.has(first) || !log.has(last)) return;
    log.read(first, last).then(
      (read) => transport.send({ ...fields, entries: read }),
      (error: unknown) => {
        rethrowProgramFault(error);
        runtime.log.warn('replication.log_unread', { first, last, ...errorFields(error) });
      },
    );
  }

  /** undefined when not all of them are in memory. */
  inMemory(first: number, last: number): Entry[] | undefined {
    const { core, log } = this.#parts;
    const entries: Entry[] = [];
    for (let index = first; index <= last; index++) {
      const entry = core.unstored(index) ?? log.cached(index);
      if (entry === undefined) return undefined;
      entries.push(entry);
    }
    return entries;
  }
}
