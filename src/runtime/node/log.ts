// The log by pino: one JSON line per event, with the event's name in the field
// "event"; in colours for people when it goes to a terminal.
import { isatty } from 'node:tty';
import { type DestinationStream, destination, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Log, LogFields } from '../log.js';

export interface NodeLogOptions {
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Field "name" of every line: the server's. */
  logName: string;
  /** A file to append to, or a stream that takes lines; standard error when absent. */
  destination?: string | DestinationStream;
}

const STANDARD_ERROR = 2;

export function nodeLog(options: NodeLogOptions): Log {
  const logger = pino(
    {
      level: options.logLevel,
      base: { name: options.logName, pid: process.pid },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: (fields) => mapFields(fields) },
    },
    stream(options.destination),
  );
  const at =
    (level: NodeLogOptions['logLevel']) =>
    (event: string, fields?: LogFields): void =>
      logger[level](fields ?? {}, event);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Lines that a disk does not take are kept for later up to here, and then dropped. */
const KEPT_LINES_BYTES = 1024 * 1024;

/** Lines are written at once: the last ones before a crash are the ones that matter. */
function stream(target: string | DestinationStream | undefined): DestinationStream {
  if (typeof target === 'string') return lossy({ dest: target, mkdir: true });
  if (target !== undefined) return target;
  if (isatty(STANDARD_ERROR)) {
    return pretty({ destination: STANDARD_ERROR, sync: true, messageKey: 'event', ignore: 'pid', colorize: true });
  }
  return lossy({ dest: STANDARD_ERROR });
}

/** A disk that is full or fails costs lines of the log, and not the server. */
function lossy(options: { dest: string | number; mkdir?: boolean }): DestinationStream {
  const lines = destination({ ...options, sync: true, maxLength: KEPT_LINES_BYTES });
  lines.on('error', () => {});
  return lines;
}

/** Errors and bigints have no JSON of their own. */
function mapFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, mapField(value)]));
}

function mapField(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (!(value instanceof Error)) return value;
  const code = 'code' in value ? { code: value.code } : {};
  return { ...code, message: value.message, stack: value.stack };
}
