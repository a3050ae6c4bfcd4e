// The listening side of Node's network: the same HTTP server on a TCP address
// and, when asked, on a Unix-domain socket.
import { Buffer } from 'node:buffer';
import { lstat, unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket as NetSocket, connect as netConnect } from 'node:net';
import type { Duplex } from 'node:stream';
import { errorFields } from '../caught-errors.js';
import type { Log } from '../log.js';
import type { HttpReply, HttpStream, Listener, ListenOptions } from '../network.js';
import { readIntoBuffer } from './accepted-socket.js';
import { splitAddress, UPGRADE_PROTOCOL } from './address.js';
import { NodeSocket, ReadBuffer } from './socket.js';

/** A path of a Unix-domain socket has no more room in the kernel (sun_path). */
const MAXIMUM_UNIX_PATH_BYTES = 107;

export async function listen(options: ListenOptions, log: Log): Promise<Listener> {
  const sockets = new Set<NodeSocket>();
  const servers: Server[] = [];
  const { host, port } = splitAddress(options.address);
  try {
    const tcp = httpServer(options, sockets, log);
    await start(tcp, { host, port });
    servers.push(tcp);
    if (options.unixPath !== undefined) {
      await clearStale(options.unixPath);
      const unix = httpServer(options, sockets, log);
      await start(unix, { path: options.unixPath });
      servers.push(unix);
    }
  } catch (error) {
    await Promise.all(servers.map(stop));
    throw error;
  }
  const bound = servers[0]?.address();
  const realPort = typeof bound === 'object' && bound !== null ? bound.port : port;
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${realPort}`,
    async close() {
      const stopped = Promise.all(servers.map(stop));
      for (const socket of sockets) socket.destroy();
      await stopped;
    },
  };
}

function httpServer(options: ListenOptions, sockets: Set<NodeSocket>, log: Log): Server {
  const server = createServer();
  // A connection that can't be accepted, for want of descriptors most likely: it is lost, the server is not.
  server.on('error', (error) => {
    if (server.listening) log.error('listener.failed', { address: options.address, reason: error.message });
  });
  server.on('request', (request, response) => void answer(options, log, request, response));
  // Asked before the body is sent: one that is too long is refused without it.
  server.on('checkContinue', (request, response) => {
    if (!tooLong(request, options)) response.writeContinue();
    void answer(options, log, request, response);
  });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // Without a listener, an error of the socket would end the process.
    stream.on('error', () => stream.destroy());
    if (!(stream instanceof NetSocket) || request.headers.upgrade?.toLowerCase() !== UPGRADE_PROTOCOL) {
      stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const peer = peerName(stream, options);
    const readBuffer = new ReadBuffer();
    const moved = readIntoBuffer(stream, readBuffer, (chunk) => socket.deliver(chunk));
    const connection = moved ?? stream;
    connection.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${UPGRADE_PROTOCOL}\r\n\r\n`);
    const socket = new NodeSocket(connection, peer, moved === undefined ? undefined : readBuffer);
    if (head.length > 0) socket.deliver(head);
    sockets.add(socket);
    connection.on('close', () => sockets.delete(socket));
    options.onSocket(socket);
  });
  return server;
}

async function answer(
  options: ListenOptions,
  log: Log,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
    );
    const { url = '/' } = request;
    const questionMark = url.indexOf('?');
    const path = questionMark < 0 ? url : url.slice(0, questionMark);
    const query = questionMark < 0 ? '' : url.slice(questionMark + 1);
    const head = { method: request.method ?? 'GET', path, query, headers };
    const refused = options.refuseHttp?.(head);
    const body = refused === undefined ? await readBody(request, options) : undefined;
    if (body !== undefined) {
      send(response, await options.onHttp({ ...head, body }), false);
      return;
    }
    const tooLarge = { status: 413, body: `a body may have ${options.maximumHttpBodyBytes} bytes\n` };
    // The body that was not read would be taken for the next request.
    send(response, refused ?? tooLarge, true);
  } catch (error) {
    // The client went away, or onHttp broke its promise not to fail; the client that is still there learns it.
    log.warn('http.unanswered', { path: request.url, ...errorFields(error) });
    if (response.headersSent) response.destroy();
    else send(response, { status: 500, body: 'the server failed to answer\n' }, true);
  }
}

/** The whole body; undefined when it is too long, and then the rest is not read. Rejects when the client goes away. */
function readBody(request: IncomingMessage, options: ListenOptions): Promise<Uint8Array | undefined> {
  if (tooLong(request, options)) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      chunks.push(chunk);
      if (sizeBytes <= options.maximumHttpBodyBytes) return;
      request.pause();
      resolve(undefined);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => {
      if (!request.complete) reject(new Error('the client went away'));
    });
  });
}

function tooLong(request: IncomingMessage, { maximumHttpBodyBytes }: ListenOptions): boolean {
  return Number(request.headers['content-length'] ?? 0) > maximumHttpBodyBytes;
}

function send(response: ServerResponse, { status, headers, body, stream }: HttpReply, close: boolean): void {
  const content = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  if (stream !== undefined) {
    response.writeHead(status, headers);
    response.write(content);
    stream(streamOf(response));
    return;
  }
  response.writeHead(status, {
    ...headers,
    'content-length': content.length,
    ...(close ? { connection: 'close' } : {}),
  });
  response.end(content);
}

function streamOf(response: ServerResponse): HttpStream {
  return {
    write(chunk) {
      if (!response.destroyed) response.write(chunk);
    },
    queuedBytes: () => response.writableLength,
    onClose(closed) {
      response.once('close', closed);
    },
    end() {
      response.end();
    },
    drop() {
      response.destroy();
    },
  };
}

function start(server: Server, target: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(target, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Stops listening and closes the connections that speak HTTP; a request that is being answered is cut off. */
function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Removes the socket file of a server that was killed. Throws EADDRINUSE when somebody answers there. */
async function clearStale(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAXIMUM_UNIX_PATH_BYTES) {
    throw new Error(`${path}: the path of a Unix-domain socket may have ${MAXIMUM_UNIX_PATH_BYTES} bytes`);
  }
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} is in the way: it is no socket`);
  const answered = await new Promise<boolean>((resolve) => {
    const probe = netConnect({ path });
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  if (answered) throw Object.assign(new Error(`${path}: another server answers there`), { code: 'EADDRINUSE' });
  await unlink(path);
}

function peerName(stream: NetSocket, options: ListenOptions): string {
  if (stream.remoteAddress === undefined) return `unix:${options.unixPath ?? ''}`;
  const host = stream.remoteFamily === 'IPv6' ? `[${stream.remoteAddress}]` : stream.remoteAddress;
  return `${host}:${stream.remotePort}`;
}
