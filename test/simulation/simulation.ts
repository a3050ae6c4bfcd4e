// One run: prepare, a safety phase with faults and requests, then a liveness
// phase in which everything must come back and all replicas become equal.
import { Atlas } from './atlas.js';
import { BallotWatch } from './ballots.js';
import { SimulatedCluster } from './cluster.js';
import type { ClusterShape, Sabotage } from './cluster-shape.js';
import { Convergence } from './convergence.js';
import { Faults } from './faults.js';
import { operate } from './operator.js';
import type { Recorder } from './recording/recorder.js';
import { Workload } from './workload/workload.js';
import type { World } from './world/host.js';
import { SimulatedNetwork } from './world/network.js';
import type { LogLevel } from './world/process.js';
import { Scheduler } from './world/scheduler.js';
import { SeededRandom } from './world/seeded-random.js';
import { Trace } from './world/trace.js';

export interface SimulationOptions {
  seed: number;
  steps: number;
  /** safe: only faults that the configuration promises to survive; beyond: any, and refusals are fine as answers. */
  mode: 'safe' | 'beyond';
  shape: ClusterShape;
  sabotage?: Sabotage;
  /** Receives the trace as it is written. */
  onLine?: (line: string) => void;
  /** Is told all that happens; the run is the same with and without. */
  recorder?: Recorder;
}

export interface SimulationResult {
  /** null: all is well. */
  failure: { step: number; message: string } | null;
  /** Equal for equal runs. */
  digest: string;
  trace: string[];
  statistics: Record<string, number>;
}

const MILLISECOND_US = 1000;
/** Of steps. */
const OPERATOR_SHARE = 0.04;
/** A mediator that is stopped itself ends a session so much later than it would. */
const NOTICE_US = 5_000_000;
const TRACE_LINES = 150;
/** Events that a server logs only when its own code is wrong. */
const ALARMS = new Set(['request.failed', 'connection.failed', 'connection.malformed', 'connection.listener_failed']);
/** What a request that failed through the disk says; the disk was told to. */
const INJECTED_FAILURE = /\b(EIO|ENOSPC): \//;

export class Simulation {
  readonly #trace = new Trace();
  readonly #scheduler = new Scheduler(this.#trace);
  readonly #random: SeededRandom;
  readonly #world: World;
  readonly #cluster: SimulatedCluster;
  readonly #atlas: Atlas;
  readonly #faults: Faults;
  readonly #workload: Workload;
  #step = 0;
  #mayBeUnclear = false;
  /** The mediator that has left it to another one to be active. */
  #gaveWay: string | null = null;
  #mayRefuseChanges = false;
  #failure: SimulationResult['failure'] = null;

  readonly #options: SimulationOptions;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const { seed, shape, mode, sabotage = {}, recorder } = options;
    if (recorder !== undefined) recorder.nowUs = () => this.#scheduler.nowUs;
    this.#trace.onLine = options.onLine ?? null;
    this.#random = new SeededRandom(seed);
    this.#world = {
      scheduler: this.#scheduler,
      network: new SimulatedNetwork(this.#random.fork(), recorder),
      random: this.#random.fork(),
      note: (text) => {
        this.#trace.line(this.#scheduler.nowUs, text);
        recorder?.note(text);
      },
      receiveLog: ({ host }, level, event, fields) => this.#log(host, level, event, fields),
      recorder,
    };
    const ballots = new BallotWatch(shape.readQuorum, shape.blockSizeBytes, () => this.#scheduler.nowUs);
    this.#cluster = new SimulatedCluster(shape, this.#world, sabotage, ballots, (message) => this.#fail(message));
    this.#atlas = new Atlas(this.#cluster, () => this.#scheduler.nowUs);
    this.#faults = new Faults(this.#cluster, this.#world, this.#atlas, mode, () => this.#workload.metaserverCrashed());
    this.#workload = new Workload(this.#cluster.clients, {
      random: this.#random.fork(),
      blockSizeBytes: shape.blockSizeBytes,
      nowUs: () => this.#scheduler.nowUs,
      note: (text) => this.#world.note(text),
      violation: (message) => this.#fail(message),
      metaserverCrashes: () => this.#faults.metaserverCrashes,
      wasSilent: (client, sinceUs) => this.#faults.wasSilent(client, sinceUs),
      mediatorDied: (sinceUs) => this.#faults.mediatorDied(sinceUs),
      isSettled: (request) => this.#faults.isSettled(request),
      readRefused: (inode, startedUs) => this.#judgeRefusal(inode, startedUs),
      ballots,
      mayBeUnclear: () => this.#mayBeUnclear,
      mayRefuseChanges: () => this.#mayRefuseChanges,
      mayBeFull: (sinceUs) => this.#faults.mayBeFull(sinceUs),
    });
  }

  async run(): Promise<SimulationResult> {
    const onRejection = (error: unknown) =>
      this.#fail(`a promise was rejected and nobody minds: ${error instanceof Error ? error.stack : String(error)}`);
    process.on('unhandledRejection', onRejection);
    const undo = this.#options.sabotage?.replace?.();
    try {
      await this.#prepare();
      await this.#safetyPhase();
      if (this.#failure === null) await this.#livenessPhase();
    } catch (error) {
      this.#fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    } finally {
      undo?.();
      process.off('unhandledRejection', onRejection);
    }
    this.#options.recorder?.end();
    const { done, refused, unknown } = this.#workload.answers;
    return {
      failure: this.#failure,
      digest: this.#trace.digest,
      trace: this.#trace.tail(TRACE_LINES),
      statistics: {
        done,
        refused,
        unknown,
        faults: this.#faults.started,
        events: this.#scheduler.firedEvents,
        virtualSeconds: Math.round(this.#scheduler.nowUs / 1e6),
      },
    };
  }

  async #prepare(): Promise<void> {
    this.#cluster.start();
    const isConnected = () => this.#cluster.clients.every((client) => client.isConnected);
    await this.#until(isConnected, 10_000, 'the clients could not connect');
    await this.#complete(() => this.#workload.prepare(), 10_000, 'the folders were not made');
  }

  async #safetyPhase(): Promise<void> {
    const { steps } = this.#options;
    let faultShare = 0;
    for (this.#step = 1; this.#step <= steps && this.#failure === null; this.#step++) {
      // Weather: quiet times let writes through, storms let faults meet.
      if (this.#step % 25 === 1) faultShare = this.#random.pick([0, 0.03, 0.08, 0.25]);
      if (this.#workload.openWrites === 0) this.#atlas.noWritesUnderWay();
      if (this.#random.chance(faultShare)) await this.#faults.strike();
      else if (this.#random.chance(OPERATOR_SHARE)) operate(this.#cluster, this.#world);
      else this.#workload.step();
      await this.#pass(this.#pauseUs());
    }
    this.#step = Math.min(this.#step, steps);
  }

  async #livenessPhase(): Promise<void> {
    this.#world.note('the faults end');
    this.#options.recorder?.mark('the faults end');
    this.#faults.endAll();
    const convergence = new Convergence(this.#cluster, this.#scheduler, this.#workload, {
      mustBeComplete: this.#options.mode === 'safe',
      until: (done, limitMs, words) => this.#until(done, limitMs, words),
      complete: (work, limitMs, words) => this.#complete(work, limitMs, words),
      killMediator: () => this.#faults.killMediator(),
      stopClient: (host) => this.#faults.silence(host),
    });
    await convergence.run();
  }

  /** Mostly requests follow each other closely; sometimes nothing happens for a while. */
  #pauseUs(): number {
    const roll = this.#random.fraction();
    if (roll < 0.5) return this.#random.between(0, 3 * MILLISECOND_US);
    if (roll < 0.97) return this.#random.between(0, 60 * MILLISECOND_US);
    return this.#random.between(0, 2000 * MILLISECOND_US);
  }

  #pass(durationUs: number): Promise<void> {
    return this.#scheduler.run(this.#scheduler.nowUs + durationUs, () => this.#failure !== null);
  }

  /** Lets time pass until the condition holds; no longer than the limit. */
  async #until(done: () => boolean, limitMs: number, words: string): Promise<void> {
    const endUs = this.#scheduler.nowUs + limitMs * MILLISECOND_US;
    await this.#scheduler.run(endUs, () => this.#failure !== null || done());
    if (this.#failure === null && !done()) this.#fail(`${words} within ${limitMs} ms`);
  }

  /** Lets time pass until the work is done; no longer than the limit. Nothing happens after a failure. */
  async #complete<T>(work: () => Promise<T>, limitMs: number, words: string): Promise<T> {
    let outcome: { value: T } | null = null;
    work().then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => this.#fail(error instanceof Error ? error.message : String(error)),
    );
    await this.#until(() => outcome !== null, limitMs, words);
    if (outcome === null) throw new Error(words);
    return (outcome as { value: T }).value;
  }

  async #judgeRefusal(inode: number, startedUs: number): Promise<void> {
    if (this.#options.mode === 'beyond' || !(await this.#atlas.hadToBeReadable(inode, startedUs))) return;
    this.#fail(`a read of inode ${inode} was refused, though enough good replicas could be asked`);
  }

  #log(host: string, level: LogLevel, event: string, fields: Readonly<Record<string, unknown>>): void {
    if (event === 'metadata.commit_failed') this.#mayBeUnclear = true;
    if (event === 'metadata.disk_trouble') this.#mayRefuseChanges = true;
    if (event === 'mediator.took_over') this.#tookOver(host);
    if (event === 'mediator.gave_way') this.#gaveWay = host;
    if (event.startsWith('replica.')) this.#observe(host, event, fields);
    if (event === 'session.silent') this.#sessionEnded(host, fields);
    if (event === 'raft.elected' || event === 'raft.stepped_down') this.#faults.leaderEnded();
    const isAlone = this.#cluster.metaHosts.length === 1;
    if (this.#isActive(host) && (!isAlone || fields.server === 'meta1')) {
      if (event === (isAlone ? 'connection.up' : 'metadata.leader')) this.#workload.metaserverReturned();
      if (event === (isAlone ? 'connection.down' : 'metadata.leader_lost')) this.#workload.mediatorForgot();
    }
    if (level === 'debug') return;
    const words = Object.entries(fields).map(([key, value]) => `${key}=${show(value)}`);
    this.#trace.line(this.#scheduler.nowUs, `${host} logs ${event} ${words.join(' ')}`);
    this.#options.recorder?.log(host, level, event, fields);
    const isInjected = words.some((word) => INJECTED_FAILURE.test(word));
    if (ALARMS.has(event) && !isInjected) this.#fail(`${host} logged ${event}: ${words.join(' ')}`);
  }

  #isActive(host: string): boolean {
    return this.#cluster.lastActive?.host.name === host;
  }

  #tookOver(host: string): void {
    const last = this.#cluster.lastActive?.host;
    const mayBeReplaced = last === undefined || last.name === this.#gaveWay || this.#faults.mayBeReplaced(last);
    if (!mayBeReplaced && last.name !== host) {
      this.#fail(`${host} took over from ${last.name}, which was there`);
    }
    this.#gaveWay = null;
    this.#cluster.tookOver(host);
    this.#faults.tookOver();
    this.#atlas.tookOver();
    this.#workload.tookOver();
  }

  #observe(host: string, event: string, { server }: Readonly<Record<string, unknown>>): void {
    const found = this.#cluster.dataHosts.find((data) => data.host.name === server);
    if (found === undefined) return;
    if (event === 'replica.down') this.#atlas.seenByMediator(host, found.number, true);
    if (['replica.up', 'replica.blank', 'replica.rebuilding'].includes(event)) {
      this.#atlas.seenByMediator(host, found.number, false);
    }
  }

  /** Only of a client that was stopped for long until just now a session ends by itself. A mediator that was replaced ends all. */
  #sessionEnded(host: string, { client }: Readonly<Record<string, unknown>>): void {
    const found = this.#cluster.clients.find(({ session }) => session.client === client);
    if (found === undefined || !this.#isActive(host)) return;
    if (this.#faults.wasSilent(found.name, this.#scheduler.nowUs - NOTICE_US)) return;
    this.#fail(`the session of ${found.name} was ended although it was heard of`);
  }

  #fail(message: string): void {
    if (this.#failure !== null) return;
    this.#failure = { step: this.#step, message };
    this.#world.note(`VIOLATION: ${message}`);
    this.#options.recorder?.mark(`VIOLATION: ${message}`);
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return value;
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner));
}
