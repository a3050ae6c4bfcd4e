// Structured events. An event's name is stable (replica.down, vote.dissent …);
// everything that varies is a field.

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** For tests and for code that has nobody to tell. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
