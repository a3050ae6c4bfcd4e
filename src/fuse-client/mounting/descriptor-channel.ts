// A socket over which another program hands this one an open descriptor
// (SCM_RIGHTS, unix(7)). Node has no way to take one: its own channels between
// processes accept sockets and pipes only, and a character device that arrives
// there ends the process by an assertion of Node's (stream_wrap.cc). So libc's
// recvmsg is called, through koffi; only ordinary users' mounts load it.
import { Buffer } from 'node:buffer';
import { closeSync } from 'node:fs';

/** From socket.h, the same on every Linux that Node runs on. */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** A control message with one descriptor takes 24 bytes. */
const CONTROL_BYTES = 64;

interface ControlMessage {
  length: number;
  level: number;
  type: number;
  descriptor: number;
}

export class DescriptorChannel {
  /** The end that the other program gets. */
  readonly otherEnd: number;
  readonly #ourEnd: number;

  readonly #libc: Libc;

  private constructor(libc: Libc) {
    this.#libc = libc;
    const pair = [-1, -1];
    const status = libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    if (status !== 0) throw new Error(`socketpair: error ${libc.errorNumber()}`);
    [this.#ourEnd = -1, this.otherEnd = -1] = pair;
  }

  static async open(): Promise<DescriptorChannel> {
    return new DescriptorChannel(await loadLibc());
  }

  /** What the other program has sent by now. Throws when there is nothing. */
  receive(): number {
    const received = this.#libc.receiveDescriptor(this.#ourEnd);
    if (received === undefined) throw new Error(`no descriptor came: error ${this.#libc.errorNumber()}`);
    return received;
  }

  close(): void {
    closeSync(this.#ourEnd);
    closeSync(this.otherEnd);
  }
}

interface Libc {
  socketpair(domain: number, type: number, protocol: number, pair: number[]): number;
  receiveDescriptor(socket: number): number | undefined;
  errorNumber(): number;
}

let loaded: Libc | undefined;

async function loadLibc(): Promise<Libc> {
  loaded ??= await declareLibc();
  return loaded;
}

/** The layouts are those of recvmsg(2) and cmsg(3); koffi knows sizes and alignment of the machine. */
async function declareLibc(): Promise<Libc> {
  const { default: koffi } = await import('koffi').catch((error: unknown) => {
    throw new Error(`the package koffi can't be loaded, which ordinary users' mounts need: ${String(error)}`);
  });
  // The libc that Node is linked to.
  const library = koffi.load(null);
  const part = koffi.struct({ base: 'void *', length: 'size_t' });
  const message = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    parts: koffi.pointer(part),
    partCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  const controlMessage = koffi.struct({ length: 'size_t', level: 'int', type: 'int', descriptor: 'int' });
  const recvmsg = library.func('recvmsg', 'long', ['int', koffi.inout(koffi.pointer(message)), 'int']);
  const socketpair = library.func('socketpair', 'int', ['int', 'int', 'int', koffi.out(koffi.pointer('int'))]);
  return {
    socketpair: (domain, type, protocol, pair) => Number(socketpair(domain, type, protocol, pair)),
    receiveDescriptor(socket) {
      const data = Buffer.alloc(1);
      const control = Buffer.alloc(CONTROL_BYTES);
      const header = {
        name: null,
        nameLength: 0,
        parts: [{ base: data, length: data.length }],
        partCount: 1,
        control,
        controlLength: control.length,
        flags: 0,
      };
      const count = Number(recvmsg(socket, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
      if (count < 0 || header.controlLength === 0) return undefined;
      const { level, type, descriptor } = koffi.decode(control, controlMessage) as ControlMessage;
      return level === SOL_SOCKET && type === SCM_RIGHTS ? descriptor : undefined;
    },
    errorNumber: () => koffi.errno(),
  };
}
