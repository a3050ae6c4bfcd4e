// The one port of a server: binary services, XML-RPC, metrics and health.
import type { Runtime } from '../runtime/runtime.js';
import { ServiceError } from './errors.js';
import type { XmlRpcMethods } from './xml-rpc.js';

export interface ServeOptions {
  /** HOST:PORT; port 0 takes a free one. */
  address: string;
  /** The same services on a Unix-domain socket, besides. */
  unixPath?: string;
  /** Implementations by name. Every own or prototype method can be called by the other side. */
  services: Record<string, object>;
  xmlRpc?: XmlRpcMethods;
  /** Text of GET /metrics. */
  metrics?: () => Promise<string>;
  /** GET /healthz: 200 or 503. */
  health?: () => { healthy: boolean; detail?: string };
  /** Binary connections must pass challenge and response; HTTP needs Basic auth with it as password. /healthz stays open. */
  secret?: string;
}

export interface RunningServer {
  /** With its real port. */
  readonly address: string;
  close(): Promise<void>;
}

export function serve(_options: ServeOptions, _runtime: Runtime): Promise<RunningServer> {
  return Promise.reject(new ServiceError('FAILED', 'not yet'));
}
