// The calling end: a connection to one server that comes back by itself.
import type { Runtime } from '../runtime/runtime.js';
import { ServiceError } from './errors.js';

export type RemoteState = 'connecting' | 'up' | 'down';

export interface RemoteOptions {
  /** HOST:PORT */
  address: string;
  /** Preferred when connecting to it works. */
  unixPath?: string;
  /** For log lines and errors: data1, meta1 … */
  name: string;
  secret?: string;
  /** Default deadline per call. */
  deadlineMs: number;
  connectDeadlineMs?: number;
  /** Calls while not connected: 'fail' at once with UNREACHABLE, or 'wait' for the connection until their deadline. */
  whileDown: 'fail' | 'wait';
  /** A call that misses its deadline breaks the connection, so that the server counts as down until it answers again. */
  closeOnDeadline?: boolean;
}

export interface Remote {
  /** A typed proxy: method(request, options) sends "name.method". */
  service<T>(name: string): T;
  readonly state: RemoteState;
  onStateChange(listener: (state: RemoteState) => void): void;
  close(): Promise<void>;
}

export function connectRemote(_options: RemoteOptions, _runtime: Runtime): Remote {
  throw new ServiceError('FAILED', 'not yet');
}
