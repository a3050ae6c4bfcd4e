// A log that tests can read.
import type { Log, LogFields } from '../../src/runtime/log.js';

export class RecordingLog implements Log {
  readonly events: { level: string; event: string; fields: LogFields }[] = [];

  debug = (event: string, fields: LogFields = {}): void => this.#add('debug', event, fields);
  info = (event: string, fields: LogFields = {}): void => this.#add('info', event, fields);
  warn = (event: string, fields: LogFields = {}): void => this.#add('warn', event, fields);
  error = (event: string, fields: LogFields = {}): void => this.#add('error', event, fields);

  /** All events of that name. */
  named(event: string): LogFields[] {
    return this.events.filter((entry) => entry.event === event).map(({ fields }) => fields);
  }

  #add(level: string, event: string, fields: LogFields): void {
    this.events.push({ level, event, fields });
  }
}
