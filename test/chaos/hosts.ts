// Hosts of a network of their own: a network namespace each, joined by a bridge in another one. What one host sends to another
// can be lost, in one direction or in both. Needs root, and iproute2.
import { run } from '../support/cluster.js';

const NETWORK = '10.83.0';
const BRIDGE = 'br0';

/** What the one sends to the other. */
export interface Way {
  from: string;
  to: string;
}

export class Hosts {
  readonly #prefix: string;
  readonly #names: readonly string[];
  /** How many cuts concern each way, `from to`. */
  readonly #cuts = new Map<string, number>();

  private constructor(prefix: string, names: readonly string[]) {
    this.#prefix = prefix;
    this.#names = names;
  }

  static async make(names: readonly string[]): Promise<Hosts> {
    const hosts = new Hosts(`nmrfs-${process.pid}`, names);
    try {
      await hosts.#build();
    } catch (error) {
      await hosts.remove();
      throw error;
    }
    return hosts;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  address(name: string): string {
    return `${NETWORK}.${this.#names.indexOf(name) + 1}`;
  }

  /** The words of a command that runs another one on this host; files and mounts are those of this machine. */
  on(name: string): string[] {
    return ['nsenter', `--net=/run/netns/${this.#namespace(name)}`, '--'];
  }

  /** From now on what goes these ways is lost, without a word to anybody. @returns ends it */
  async cut(ways: readonly Way[]): Promise<() => Promise<void>> {
    for (const way of ways) {
      const count = this.#cuts.get(keyOf(way)) ?? 0;
      this.#cuts.set(keyOf(way), count + 1);
      if (count === 0) await this.#route('add', way);
    }
    return async () => {
      for (const way of ways) {
        const count = (this.#cuts.get(keyOf(way)) ?? 0) - 1;
        this.#cuts.set(keyOf(way), count);
        if (count === 0) await this.#route('del', way);
      }
    };
  }

  async #route(action: 'add' | 'del', { from, to }: Way): Promise<void> {
    // Its own loopback device drops what is for others: nobody hears of that, where a route that refuses would say so at once.
    await must(['ip', '-n', this.#namespace(from), 'route', action, `${this.address(to)}/32`, 'dev', 'lo']);
  }

  /** All of it, whatever is there. Processes on the hosts must have ended: a namespace lives as long as they do. */
  async remove(): Promise<void> {
    for (const name of [...this.#names, BRIDGE]) await run('ip', ['netns', 'del', this.#namespace(name)], '/');
  }

  async #build(): Promise<void> {
    const bridge = this.#namespace(BRIDGE);
    await must(['ip', 'netns', 'add', bridge]);
    await must(['ip', '-n', bridge, 'link', 'add', BRIDGE, 'type', 'bridge']);
    await must(['ip', '-n', bridge, 'link', 'set', BRIDGE, 'up']);
    for (const [at, name] of this.#names.entries()) {
      const host = this.#namespace(name);
      const port = `port${at}`;
      await must(['ip', 'netns', 'add', host]);
      const peer = ['type', 'veth', 'peer', 'name', port, 'netns', bridge];
      await must(['ip', 'link', 'add', 'eth0', 'netns', host, ...peer]);
      await must(['ip', '-n', bridge, 'link', 'set', port, 'master', BRIDGE, 'up']);
      await must(['ip', '-n', host, 'addr', 'add', `${this.address(name)}/24`, 'dev', 'eth0']);
      await must(['ip', '-n', host, 'link', 'set', 'lo', 'up']);
      await must(['ip', '-n', host, 'link', 'set', 'eth0', 'up']);
    }
  }

  #namespace(name: string): string {
    return `${this.#prefix}-${name}`;
  }
}

function keyOf({ from, to }: Way): string {
  return `${from} ${to}`;
}

async function must([program = '', ...parameters]: string[]): Promise<void> {
  const { status, stderr } = await run(program, parameters, '/');
  if (status !== 0) throw new Error(`${program} ${parameters.join(' ')}: ${stderr}`);
}
