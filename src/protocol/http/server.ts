// The one port of a server: binary services, XML-RPC, metrics and health.
import type { Runtime } from '../../runtime/runtime.js';
import { MAXIMUM_HTTP_BODY_BYTES } from '../limits.js';
import { methodTable, ServingConnection } from '../wire/serving.js';
import { type HttpFace, httpFace, refuseHttp } from './http-face.js';

export interface ServeOptions extends HttpFace {
  /** The same services on a Unix-domain socket, besides. */
  unixPath?: string;
  /**
   * Implementations by name. Every function that an object holds or inherits (but Object's own) can be called by the
   * other side: give objects that hold only what may be called.
   */
  services: Record<string, object>;
  /**
   * Methods ("service.method") that neither keep byte arrays of a request beyond their reply nor put them into it. The memory
   * of these arrays is used again, which saves most of the garbage of large requests.
   */
  transient?: readonly string[];
  /** Binary connections must pass challenge and response with it, and HTTP as HttpFace says. */
  secret?: string;
}

export interface RunningServer {
  /** With its real port. */
  readonly address: string;
  /** Stops listening and closes all connections; callers see OUTCOME_UNKNOWN, and UNREACHABLE from then on. */
  close(): Promise<void>;
  /** Closes all connections; callers see OUTCOME_UNKNOWN, and may connect again. */
  disconnect(): void;
}

/** Starts answering. Rejects when it can't listen there. */
export async function serve(options: ServeOptions, runtime: Runtime): Promise<RunningServer> {
  const methods = methodTable(options.services);
  const transient = new Set(options.transient);
  const connections = new Set<ServingConnection>();
  const listener = await runtime.network.listen({
    address: options.address,
    ...(options.unixPath === undefined ? {} : { unixPath: options.unixPath }),
    maximumHttpBodyBytes: MAXIMUM_HTTP_BODY_BYTES,
    onHttp: httpFace(options, runtime.log),
    refuseHttp: (request) => refuseHttp(options, request),
    onSocket: (socket) => {
      const closed = (connection: ServingConnection) => connections.delete(connection);
      connections.add(new ServingConnection({ socket, methods, transient, secret: options.secret, closed }, runtime));
    },
  });
  const disconnect = (): void => {
    for (const connection of [...connections]) connection.close();
  };
  return {
    address: listener.address,
    disconnect,
    async close() {
      const closed = listener.close();
      disconnect();
      await closed;
    },
  };
}
