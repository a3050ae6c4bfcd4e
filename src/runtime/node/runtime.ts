// All that a server is given from outside, made of Node's own.
import type { Runtime } from '../runtime.js';

export interface NodeRuntimeOptions {
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Field `name` of every line: the server's name. */
  logName: string;
  /** Where log lines go: a file's path; standard error when absent. */
  destination?: string;
}

export function nodeRuntime(_options: NodeRuntimeOptions): Runtime {
  throw new Error('not yet');
}
