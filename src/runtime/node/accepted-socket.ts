// An accepted connection that reads into buffers of ours, as connecting ones do
// with net.connect's `onread`: fresh memory for every 64 KiB read kept the
// garbage collector busier than the data itself. Node's public interface has
// no such option for the accepting side, so the handle moves to a new socket;
// on a Node that does not let it, the connection stays as it is.
import { Socket as NetSocket, type SocketConstructorOpts } from 'node:net';
import type { ReadBuffer } from './socket.js';

interface Handle {
  useUserBuffer?: unknown;
}

/**
 * @param receive called with bytes that are valid only during the call
 * @returns the socket to go on with, or undefined when the connection can't be moved
 */
export function readIntoBuffer(
  accepted: NetSocket,
  readBuffer: ReadBuffer,
  receive: (chunk: Uint8Array) => void,
): NetSocket | undefined {
  const holder = accepted as unknown as { _handle: Handle | null };
  const handle = holder._handle;
  if (handle === null || typeof handle.useUserBuffer !== 'function') return undefined;
  holder._handle = null;
  const options = {
    handle,
    readable: true,
    writable: true,
    onread: {
      buffer: () => readBuffer.next(),
      callback: (count: number, buffer: Uint8Array) => {
        receive(buffer.subarray(0, count));
        return true;
      },
    },
  };
  const moved = new NetSocket(options as unknown as SocketConstructorOpts);
  accepted.destroy();
  return moved;
}
