// Limits the rate of log lines that loops would write over and over: the first is
// written at once, later ones once a minute at most, with the number of those
// that were left out.
import type { Clock } from './clock.js';
import type { Log, LogFields } from './log.js';
import type { Runtime } from './runtime.js';

const INTERVAL_MS = 60_000;

interface LastLine {
  atMs: number;
  /** Lines that were left out since. */
  unsaid: number;
}

/**
 * The same runtime with a log that limits warnings and errors of these events, per event and per server where they have a field
 * `server`. The next line that is written has the number of those that were left out in the field `unsaid`.
 */
export function sparingRepetitions(runtime: Runtime, events: readonly string[]): Runtime {
  const { clock, random, disk, network } = runtime;
  return { clock, random, disk, network, log: sparingLog(runtime.log, clock, new Set(events)) };
}

function sparingLog(log: Log, clock: Clock, events: ReadonlySet<string>): Log {
  const lines = new Map<string, LastLine>();
  const at =
    (level: 'warn' | 'error') =>
    (event: string, fields: LogFields = {}): void => {
      if (!events.has(event)) {
        log[level](event, fields);
        return;
      }
      const key = `${event} ${String(fields.server ?? '')}`;
      const nowMs = clock.monotonicMs();
      const last = lines.get(key);
      if (last !== undefined && nowMs - last.atMs < INTERVAL_MS) {
        last.unsaid++;
        return;
      }
      lines.set(key, { atMs: nowMs, unsaid: 0 });
      log[level](event, last === undefined || last.unsaid === 0 ? fields : { ...fields, unsaid: last.unsaid });
    };
  return {
    debug: (event, fields) => log.debug(event, fields),
    info: (event, fields) => log.info(event, fields),
    warn: at('warn'),
    error: at('error'),
  };
}
