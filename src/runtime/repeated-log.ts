// A log for what loops would say over and over: a warning or an error is logged
// at once, and then at most once a minute, with the number of times that it was not.
import type { Clock } from './clock.js';
import type { Log, LogFields } from './log.js';
import type { Runtime } from './runtime.js';

const INTERVAL_MS = 60_000;

interface Said {
  atMs: number;
  /** How often it was left out since then. */
  unsaid: number;
}

/**
 * The same runtime, whose log leaves out repetitions of these events. Where an event names a server, those of each server are
 * counted apart. The next one that is logged has the number of those left out before it in the field `unsaid`.
 */
export function sparingRepetitions(runtime: Runtime, events: readonly string[]): Runtime {
  const { clock, random, disk, network } = runtime;
  return { clock, random, disk, network, log: sparingLog(runtime.log, clock, new Set(events)) };
}

function sparingLog(log: Log, clock: Clock, events: ReadonlySet<string>): Log {
  const things = new Map<string, Said>();
  const at =
    (level: 'warn' | 'error') =>
    (event: string, fields: LogFields = {}): void => {
      if (!events.has(event)) {
        log[level](event, fields);
        return;
      }
      const thing = `${event} ${String(fields.server ?? '')}`;
      const nowMs = clock.monotonicMs();
      const said = things.get(thing);
      if (said !== undefined && nowMs - said.atMs < INTERVAL_MS) {
        said.unsaid++;
        return;
      }
      things.set(thing, { atMs: nowMs, unsaid: 0 });
      log[level](event, said === undefined || said.unsaid === 0 ? fields : { ...fields, unsaid: said.unsaid });
    };
  return {
    debug: (event, fields) => log.debug(event, fields),
    info: (event, fields) => log.info(event, fields),
    warn: at('warn'),
    error: at('error'),
  };
}
