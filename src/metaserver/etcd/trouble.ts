// Why etcd does not do what it is asked for, told once when it begins and once when it is over.
import { errorFields, messageOf } from '../../runtime/caught-errors.js';
import type { Log } from '../../runtime/log.js';
import type { EtcdError } from './etcd-error.js';

export type Access = 'reading' | 'writing';

export class Trouble {
  #reason: string | null = null;
  /** An etcd that is full can be read. */
  #refusesWrites = false;

  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** null while all is well. */
  get reason(): string | null {
    return this.#reason;
  }

  began(error: EtcdError, what: Access): void {
    const isNews = this.#reason === null;
    this.#reason = messageOf(error);
    this.#refusesWrites ||= error.trouble === 'refused' && what === 'writing';
    if (isNews) this.#log.error(`etcd.${error.trouble}`, errorFields(error));
  }

  /** @param takesWrites whether it is known to have taken one since */
  answered(takesWrites: boolean): void {
    if (this.#reason === null || (this.#refusesWrites && !takesWrites)) return;
    this.#reason = null;
    this.#refusesWrites = false;
    this.#log.info('etcd.back', {});
  }
}
