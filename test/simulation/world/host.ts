// A simulated machine: its disk outlives its processes, of which it runs one
// at a time. Processes are killed, stopped, cut from power and started again.
import type { Runtime } from '../../../src/runtime/runtime.js';
import type { Recorder } from '../recording/recorder.js';
import { carryIn, type DiskTroubles, SimulatedDisk } from './disk.js';
import type { SimulatedNetwork } from './network.js';
import { Platter } from './platter.js';
import { type LogReceiver, SimulatedProcess } from './process.js';
import type { Scheduler } from './scheduler.js';
import type { SeededRandom } from './seeded-random.js';

/** What all hosts share. */
export interface World {
  scheduler: Scheduler;
  network: SimulatedNetwork;
  random: SeededRandom;
  /** Writes a line to the trace. */
  note(text: string): void;
  receiveLog: LogReceiver;
  /** Absent where nothing is recorded. */
  recorder?: Recorder | undefined;
}

/** Until a process that could not start is started again. */
const RESTART_MS = 300;

/** What runs on a host. */
export interface Program {
  /** Starts; what it resolves with is `running` until the process ends. Rejects when it can't start: then it is tried again. */
  start(runtime: Runtime): Promise<void>;
  /** The process is gone; with `power`, the host has lost its power too. */
  ended(power: boolean): void;
}

export class Host {
  readonly platter = new Platter();
  readonly troubles: DiskTroubles = { failSyncs: false, stalled: null };
  #process: SimulatedProcess | null = null;
  #isReady = false;
  /** How far the wall clock is off. */
  #skewNs: bigint;

  readonly #world: World;
  readonly #program: Program;

  constructor(
    readonly name: string,
    world: World,
    program: Program,
  ) {
    this.#world = world;
    this.#program = program;
    this.#skewNs = BigInt(world.random.between(-500_000, 500_000)) * 1000n;
  }

  get process(): SimulatedProcess | null {
    return this.#process;
  }

  /** Its process has started completely. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Somebody sets the wall clock; timers know nothing of it. */
  setClockBy(ns: bigint): void {
    this.#skewNs += ns;
  }

  /** From now on the disk answers nothing, as a frozen file system. */
  stallDisk(): void {
    this.troubles.stalled ??= [];
  }

  /** The disk goes on with all that waits. */
  resumeDisk(): void {
    const waiting = this.troubles.stalled ?? [];
    this.troubles.stalled = null;
    for (const operation of waiting) operation();
  }

  /** Starts a process; nothing happens when there is one. */
  start(): void {
    if (this.#process !== null) return;
    const world = this.#world;
    world.network.powerOn(this.name);
    const random = world.random.fork();
    const noted = (state: 'stops' | 'goes on') => world.recorder?.state(this.name, state);
    const skewNs = () => this.#skewNs;
    const process = new SimulatedProcess(this.name, world.scheduler, random, skewNs, world.receiveLog, noted);
    world.recorder?.state(this.name, 'starts');
    this.#process = process;
    const runtime: Runtime = {
      clock: process.clock,
      random: process.random,
      log: process.log,
      network: world.network.adapter(process),
      disk: new SimulatedDisk(this.platter, carryIn(process, random, this.troubles), this.troubles, this.name),
    };
    this.#program.start(runtime).then(
      () => {
        if (process.isDead) return;
        this.#isReady = true;
        world.recorder?.state(this.name, 'runs');
        world.note(`${this.name} is running`);
      },
      (error: unknown) => {
        if (process.isDead) return;
        world.note(`${this.name} could not start: ${error instanceof Error ? error.message : String(error)}`);
        this.kill();
        world.scheduler.after(RESTART_MS * 1000, () => this.start());
      },
    );
  }

  /** Ends the process as SIGKILL does: what it has written stays written, synced or not. */
  kill(): void {
    this.#end(false);
  }

  /** Cuts the power: what was not synced is lost or torn, and nobody is told. */
  cutPower(): void {
    this.#world.network.powerOff(this.name);
    this.#end(true);
    this.platter.crash(this.#world.random);
  }

  #end(power: boolean): void {
    this.#isReady = false;
    if (this.#process !== null) this.#world.recorder?.state(this.name, power ? 'loses power' : 'crashes');
    this.#process?.kill();
    this.#process = null;
    this.#program.ended(power);
  }
}
