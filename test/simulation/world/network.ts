// The network between simulated hosts: connections with delays, cut links,
// hosts without power, processes that are stopped behind an open port.
import type { Listener, ListenOptions, Network, Socket } from '../../../src/runtime/network.js';
import type { Recorder } from '../recording/recorder.js';
import type { SimulatedProcess } from './process.js';
import type { SeededRandom } from './seeded-random.js';
import { type Link, SimulatedSocket } from './socket.js';

/** When a system sends its first packet again that nobody answered, milliseconds after the first time. */
const RETRANSMISSIONS_MS = [0, 1000, 3000, 7000];

interface Port {
  process: SimulatedProcess;
  options: ListenOptions;
}

/** The state between two hosts, one object per pair. */
interface Pair {
  isCut: boolean;
  /** Nothing comes to this one of the two. */
  deaf: string | null;
  /** Added to every delay. */
  slownessUs: number;
  sockets: Set<SimulatedSocket>;
}

export class SimulatedNetwork {
  readonly #ports = new Map<string, Port>();
  readonly #pairs = new Map<string, Pair>();
  readonly #unpowered = new Set<string>();
  /** That were sent so far, between any two hosts. */
  messages = 0;

  readonly #random: SeededRandom;
  readonly #recorder: Recorder | undefined;

  constructor(random: SeededRandom, recorder?: Recorder) {
    this.#random = random;
    this.#recorder = recorder;
  }

  /** The network as one process sees it. */
  adapter(process: SimulatedProcess): Network {
    return {
      connect: (address, deadlineMs) => this.#connect(process, address, deadlineMs),
      listen: (options) => this.#listen(process, options),
    };
  }

  /** From now on nothing passes between the two hosts, until `heal`. */
  cut(one: string, other: string): void {
    const pair = this.#pair(one, other);
    if (!pair.isCut) this.#recorder?.link(one, other, true, 'cut');
    pair.isCut = true;
  }

  /** From now on nothing comes to `to` from `from`, until `heal`; the other way all passes. */
  cutOneWay(from: string, to: string): void {
    this.#pair(from, to).deaf = to;
    this.#recorder?.link(from, to, false, 'cut');
  }

  /** Ends a cut; with `breaks`, the connections have not outlived it. */
  heal(one: string, other: string, breaks: boolean): void {
    const pair = this.#pair(one, other);
    if (pair.isCut || pair.deaf !== null) this.#recorder?.link(one, other, true, 'healed');
    pair.isCut = false;
    pair.deaf = null;
    if (breaks) this.breakConnections(one, other);
    for (const socket of pair.sockets) socket.kick();
  }

  /** All connections between the two hosts break, at both ends. */
  breakConnections(one: string, other: string): void {
    for (const socket of this.#pair(one, other).sockets) {
      socket.process.after(this.#random.between(0, 2000), () => socket.break('the connection was lost'));
    }
  }

  /** Every piece between the two hosts takes so much longer. */
  slow(one: string, other: string, slownessUs: number): void {
    const pair = this.#pair(one, other);
    if (pair.slownessUs !== slownessUs) {
      this.#recorder?.link(one, other, true, slownessUs > 0 ? 'slow' : 'healed');
    }
    pair.slownessUs = slownessUs;
  }

  /** The host vanishes from the network without a word. */
  powerOff(host: string): void {
    this.#unpowered.add(host);
    for (const [key, pair] of this.#pairs) {
      if (!key.split(' ').includes(host)) continue;
      for (const socket of pair.sockets) if (socket.process.host === host) socket.vanish();
    }
  }

  powerOn(host: string): void {
    this.#unpowered.delete(host);
  }

  #listen(process: SimulatedProcess, options: ListenOptions): Promise<Listener> {
    const { address } = options;
    const taken = this.#ports.get(address);
    if (taken !== undefined && !taken.process.isDead) {
      return Promise.reject(Object.assign(new Error(`${address} is in use`), { code: 'EADDRINUSE' }));
    }
    const port: Port = { process, options };
    this.#ports.set(address, port);
    const close = () => {
      if (this.#ports.get(address) === port) this.#ports.delete(address);
    };
    process.onDeath(close);
    return Promise.resolve({ address, close: () => Promise.resolve(close()) });
  }

  #connect(process: SimulatedProcess, address: string, deadlineMs: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const fail = (code: string) => {
        if (isOver) return;
        isOver = true;
        reject(Object.assign(new Error(`${code}: connecting to ${address}`), { code }));
      };
      process.after(deadlineMs * 1000, () => fail('ETIMEDOUT'));
      const host = address.slice(0, address.lastIndexOf(':'));
      const pair = this.#pair(process.host, host);
      const attempt = () => {
        // Both directions are needed to connect.
        if (isOver || pair.isCut || pair.deaf !== null || this.#unpowered.has(host)) return;
        const port = this.#ports.get(address);
        if (port === undefined) {
          process.after(this.#delayUs(pair), () => fail('ECONNREFUSED'));
          return;
        }
        // A process that is stopped has the connection wait until it goes on.
        port.process.after(this.#delayUs(pair), () => {
          if (isOver || process.isDead) return;
          isOver = true;
          const [mine, theirs] = SimulatedSocket.pair(process, port.process, this.#link(pair), this.#recorder);
          pair.sockets.add(mine).add(theirs);
          for (const socket of pair.sockets) if (!socket.isOpen) pair.sockets.delete(socket);
          port.options.onSocket(theirs);
          process.after(this.#delayUs(pair), () => resolve(mine));
        });
      };
      for (const delayMs of RETRANSMISSIONS_MS) {
        if (delayMs < deadlineMs) process.after(delayMs * 1000 + this.#delayUs(pair), attempt);
      }
    });
  }

  #link(pair: Pair): Link {
    return {
      delayUs: () => this.#delayUs(pair),
      sent: () => {
        this.messages++;
      },
      isCutTo: (host) => pair.isCut || pair.deaf === host,
      isPowered: (host) => !this.#unpowered.has(host),
      random: this.#random,
    };
  }

  #delayUs(pair: Pair): number {
    // Most pieces are quick, some are not.
    const usual = this.#random.between(20, 120);
    return pair.slownessUs + (this.#random.chance(0.02) ? usual + this.#random.between(500, 20_000) : usual);
  }

  #pair(one: string, other: string): Pair {
    const key = one < other ? `${one} ${other}` : `${other} ${one}`;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = { isCut: false, deaf: null, slownessUs: 0, sockets: new Set() };
      this.#pairs.set(key, pair);
    }
    return pair;
  }
}
