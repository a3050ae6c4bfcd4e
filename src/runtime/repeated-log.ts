// A log for what loops would say over and over: a thing is said once, and from
// then on at most once a minute, with how often it has happened unsaid.
import type { Clock } from './clock.js';
import type { Log, LogFields } from './log.js';
import type { Runtime } from './runtime.js';

const INTERVAL_MS = 60_000;

interface Said {
  atMs: number;
  /** Since then. */
  unsaid: number;
}

/**
 * The same runtime, whose log spares its readers repetitions of these events, told apart by the server that they are about
 * where they name one. The next that is said has the others' number in the field `unsaid`.
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
