// Node's network: one HTTP server per address, whose connections switch to the
// binary protocol by an upgrade; and the side that asks for it.
import { Buffer } from 'node:buffer';
import { connect as netConnect } from 'node:net';
import type { Log } from '../log.js';
import type { Network, Socket } from '../network.js';
import { splitAddress, UPGRADE_PROTOCOL } from './address.js';
import { listen } from './listener.js';
import { NodeSocket, ReadBuffer } from './socket.js';

const UNIX_PREFIX = 'unix:';
/** The answer to the upgrade is four lines. */
const MAXIMUM_ANSWER_BYTES = 8 * 1024;
const ANSWER_END = '\r\n\r\n';

/** @param log for what happens to a listener when nobody waits for an outcome */
export function nodeNetwork(log: Log): Network {
  return { connect, listen: (options) => listen(options, log) };
}

async function connect(address: string, deadlineMs: number): Promise<Socket> {
  const target = address.startsWith(UNIX_PREFIX) ? { path: address.slice(UNIX_PREFIX.length) } : splitAddress(address);
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    let open: NodeSocket | undefined;
    const readBuffer = new ReadBuffer();
    const socket = netConnect({
      ...target,
      onread: {
        buffer: () => readBuffer.next(),
        callback: (count: number, buffer: Uint8Array) => {
          const chunk = buffer.subarray(0, count);
          if (open !== undefined) open.deliver(chunk);
          else greet(chunk);
          return true;
        },
      },
    });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error(`${address} did not answer within ${deadlineMs} ms`)), deadlineMs);
    const ended = (): void => fail(new Error(`${address} closed the connection instead of switching protocols`));
    socket.on('error', fail);
    socket.on('close', ended);
    socket.on('end', ended);
    socket.on('connect', () => {
      socket.write(
        `GET / HTTP/1.1\r\nHost: ${'path' in target ? 'localhost' : address}\r\nConnection: Upgrade\r\nUpgrade: ${UPGRADE_PROTOCOL}\r\n\r\n`,
      );
    });

    function greet(chunk: Uint8Array): void {
      answer = Buffer.concat([answer, chunk]);
      const end = answer.indexOf(ANSWER_END);
      if (end < 0) {
        if (answer.length > MAXIMUM_ANSWER_BYTES) fail(new Error(`${address} answered something else than HTTP`));
        return;
      }
      const status = answer.subarray(0, end).toString('latin1').split('\r\n', 1)[0] ?? '';
      if (!/^HTTP\/1\.1 101(?: |$)/.test(status)) {
        fail(new Error(`${address} does not switch to ${UPGRADE_PROTOCOL}: ${status.slice(0, 100)}`));
        return;
      }
      clearTimeout(timer);
      socket.off('error', fail).off('close', ended).off('end', ended);
      open = new NodeSocket(socket, address, readBuffer);
      const rest = answer.subarray(end + ANSWER_END.length);
      if (rest.length > 0) open.deliver(rest);
      resolve(open);
    }
  });
}
