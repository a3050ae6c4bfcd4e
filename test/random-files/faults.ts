// Faults of data servers while operations run, chosen by a seed and never
// more at once than the configuration promises to survive. Before the next
// faults all servers are back, caught up and repaired.
import { messageOf } from '../../src/runtime/caught-errors.js';
import type { SeededRandom } from '../simulation/world/seeded-random.js';
import { type Cluster, until } from '../support/cluster.js';
import type { Shape } from './shapes.js';

const LEAST_OPERATIONS_BETWEEN = 20;
const MOST_OPERATIONS_BETWEEN = 120;

/** Killed, and started again by its supervisor; stopped until it counts as down; ended for some operations; wiped; wrong bytes of a file. */
type Kind = 'kill' | 'hang' | 'terminate' | 'blank' | 'corrupt';

export class Faults {
  readonly #names: string[];
  /** What goes on until the servers are back. */
  #recoveries: Promise<unknown>[] = [];
  #terminated: string[] = [];
  /** The operation before which the next faults come. */
  #next: number;
  #isOver = false;

  readonly #random: SeededRandom;
  readonly #cluster: Cluster;
  readonly #shape: Shape;
  readonly #onLine: (line: string) => void;

  constructor(random: SeededRandom, cluster: Cluster, shape: Shape, onLine: (line: string) => void) {
    this.#random = random;
    this.#cluster = cluster;
    this.#shape = shape;
    this.#onLine = onLine;
    this.#names = Array.from({ length: shape.servers }, (_, index) => `data${index + 1}`);
    this.#next = random.between(1, LEAST_OPERATIONS_BETWEEN);
  }

  /** @param files names of files that may be corrupted */
  async before(operation: number, files: readonly string[]): Promise<void> {
    if (operation < this.#next) return;
    await this.heal();
    const random = this.#random;
    this.#next = operation + random.between(LEAST_OPERATIONS_BETWEEN, MOST_OPERATIONS_BETWEEN);
    const servers = [...this.#names];
    const kinds = this.#kinds(files.length > 0);
    // Corruption first: it is asked of servers that are there.
    for (const kind of kinds.sort()) {
      const [server = ''] = servers.splice(random.between(0, servers.length - 1), 1);
      this.#onLine(`before ${operation}: ${kind} ${server}`);
      await this.#start(kind, server, files);
    }
  }

  /** All servers are back and hold what they must. */
  async heal(): Promise<void> {
    await this.#cluster.restart(this.#terminated.splice(0));
    await Promise.all(this.#recoveries.splice(0));
    await this.#cluster.untilState('up');
    const { unreadable } = JSON.parse(await this.#cluster.must('scrub', '--json')) as { unreadable: number };
    if (unreadable > 0) throw new Error(`${unreadable} blocks are unreadable`);
  }

  /** No more faults; servers that were stopped go on. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.allSettled(this.#recoveries.splice(0));
  }

  /** As many as are survived right after a write; with `fail`, so few go away that writes go on. */
  #kinds(hasFiles: boolean): Kind[] {
    const random = this.#random;
    const shape = this.#shape;
    const { servers, readQuorum, writeQuorum, onWriteQuorumLost } = shape;
    const waits = onWriteQuorumLost === 'block';
    const count = random.between(1, writeQuorum - readQuorum);
    let mayGo = waits ? count : servers - writeQuorum;
    return Array.from({ length: count }, () => {
      const going: Kind[] = waits ? ['kill', 'hang', 'blank'] : ['kill', 'hang', 'blank', 'terminate'];
      const choices: Kind[] = [...(mayGo > 0 ? going : []), ...(hasFiles ? (['corrupt', 'corrupt'] as const) : [])];
      const kind = choices.length === 0 ? 'kill' : random.pick(choices);
      if (kind !== 'corrupt') mayGo--;
      return kind;
    });
  }

  async #start(kind: Kind, server: string, files: readonly string[]): Promise<void> {
    const cluster = this.#cluster;
    const random = this.#random;
    switch (kind) {
      case 'corrupt':
        // What was written before is on its way to the servers: a block may have been replaced meanwhile.
        await cluster.corrupt(`/${random.pick(files)}`, server).catch((error) => {
          if (!messageOf(error).includes('has no version')) throw error;
        });
        return;
      case 'terminate':
        await cluster.terminate(server);
        this.#terminated.push(server);
        return;
      case 'blank':
        this.#recoveries.push(watched(cluster.restart(server, { blank: true })));
        return;
      case 'kill': {
        const pid = await cluster.pidOf(server);
        process.kill(pid, 'SIGKILL');
        this.#recoveries.push(watched(this.#untilAnother(server, pid)));
        return;
      }
      case 'hang': {
        const pid = await cluster.pidOf(server);
        process.kill(pid, 'SIGSTOP');
        this.#recoveries.push(watched(this.#untilDown(server).finally(() => process.kill(pid, 'SIGCONT'))));
        return;
      }
    }
  }

  #untilAnother(server: string, pid: number): Promise<void> {
    return until(`another process of ${server}`, async () => {
      this.#goesOn();
      // It has none for a moment.
      return (await this.#cluster.pidOf(server).catch(() => pid)) !== pid;
    });
  }

  /** Until the mediator has noticed: writes that wait for all servers would otherwise wait for ever. */
  #untilDown(server: string): Promise<void> {
    return until(`${server} down`, async () => {
      this.#goesOn();
      return (await this.#cluster.status()).dataservers.some(({ name, state }) => name === server && state === 'down');
    });
  }

  #goesOn(): void {
    if (this.#isOver) throw new Error('the run is over');
  }
}

/** It is awaited later; until then its failure is nobody's. */
function watched<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
