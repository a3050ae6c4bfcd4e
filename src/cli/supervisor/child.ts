// One supervised server: its process, and what happens when that ends.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { ServiceError } from '../../protocol/errors.js';
import { assert } from '../../runtime/assert.js';
import { SERVING_OPTIONS } from '../../runtime/node/v8-options.js';
import type { ChildState, ChildStatus } from './control.js';
import { type FromSupervisor, isToSupervisor, type ToSupervisor } from './link.js';
import type { ChildNews } from './readiness.js';
import { afterExit, HEALTHY_AFTER_MS, isRequested } from './restart-policy.js';

/** Whoever restarts a server does not want to wait for one that hangs; what it has acknowledged survives a kill. */
const RESTART_STOP_MS = 3000;
/** A restart that takes longer is reported as failed (the process goes on coming up). */
const START_DEADLINE_MS = 45_000;

/** Whoever waits for a server that crashed so often in a row is told; it is tried again all the same. */
const HOPELESS_CRASHES = 4;

export interface ChildPlan {
  name: string;
  /** Arguments after `node`. */
  parameters: string[];
  environment: Record<string, string>;
  /** After this a process that was told to stop is killed: what it has to flush must fit in. */
  stopDeadlineMs: number;
}

export interface ChildEvents {
  /** Its standard output and error, lines to come. */
  output(name: string, stream: Readable): void;
  /** Something for the supervisor's log. */
  event(level: 'info' | 'warn' | 'error', event: string, fields: Record<string, unknown>): void;
  /** A process was started or ended. */
  changed(): void;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

export class ServerChild {
  #state: ChildState = 'stopped';
  #process: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #crashes = 0;
  #upSinceMs = 0;
  /** The next process is to wipe its store first; stays until one has come up. */
  #blank = false;
  #stopping = false;
  /** Whether its process was stopped where it is. */
  #isHeld = false;
  #held = true;
  #lastFailure = '';
  #waiters: Waiter[] = [];
  #lastRestart: Promise<void> = Promise.resolve();

  readonly #plan: ChildPlan;
  readonly #events: ChildEvents;

  constructor(plan: ChildPlan, events: ChildEvents) {
    this.#plan = plan;
    this.#events = events;
  }

  get status(): ChildStatus {
    return { name: this.#plan.name, state: this.#state, processId: this.#process?.pid ?? null };
  }

  get news(): ChildNews {
    const isOpening = this.#state === 'starting' && this.#crashes < HOPELESS_CRASHES;
    const ended = this.#state === 'terminated' || this.#state === 'stopped' ? `it was ${this.#state}` : 'it crashed';
    const failure = this.#state === 'up' || isOpening ? '' : this.#lastFailure || ended;
    return { name: this.#plan.name, isOpening, failure };
  }

  /** Starts it, so that it loads its code; it serves when `release` is called too. */
  start(): void {
    this.#spawn();
  }

  /** Lets it serve now, and from now on as soon as it is loaded. */
  release(): void {
    this.#held = false;
    this.#send({ kind: 'go' });
  }

  /** Resolves when it serves; rejects when it is stopped before, or after the deadline. */
  ready(deadlineMs = START_DEADLINE_MS): Promise<void> {
    if (this.#state === 'up') {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const reason = (): string => (this.#lastFailure === '' ? '' : `: ${this.#lastFailure}`);
      const timer = setTimeout(
        () => waiter.reject(new Error(`${this.#plan.name} did not come up within ${deadlineMs} ms${reason()}`)),
        deadlineMs,
      );
      const settled = (): void => {
        clearTimeout(timer);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
      };
      const waiter: Waiter = {
        resolve: () => {
          settled();
          resolve();
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  /** A new process, whatever the state; resolves when it serves. */
  restart(blank: boolean): Promise<void> {
    return this.#inTurn(() => this.#restartNow(blank));
  }

  /** Ends its process as a crash would, and leaves it so; resolves when it is gone. */
  terminate(): Promise<void> {
    return this.#inTurn(async () => {
      const process = this.#process;
      const ended = new Promise<void>((resolve) => process?.once('exit', () => resolve()) ?? resolve());
      this.kill();
      await ended;
      this.#state = 'terminated';
      this.#events.event('info', 'server.terminated', { server: this.#plan.name });
      this.#giveUp('it was terminated');
      this.#events.changed();
    });
  }

  /** Stops it for good, after restarts that were asked for before. */
  retire(): Promise<void> {
    return this.#inTurn(() => this.stop());
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#lastRestart.then(work);
    // One that failed must not stop the next; its caller hears of it.
    this.#lastRestart = done.catch(() => {});
    return done;
  }

  async #restartNow(blank: boolean): Promise<void> {
    await this.stop(RESTART_STOP_MS);
    this.#stopping = false;
    this.#blank = blank;
    this.#crashes = 0;
    this.#spawn();
    await this.ready();
  }

  /** Tells it to stop and resolves when its process is gone, by force after a while. */
  async stop(deadlineMs = this.#plan.stopDeadlineMs): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const process = this.#process;
    if (process !== undefined) {
      const ended = new Promise<void>((resolve) => process.once('exit', () => resolve()));
      this.#send({ kind: 'stop' });
      // One that was held hears it only when it goes on.
      if (this.#isHeld) process.kill('SIGCONT');
      const timer = setTimeout(() => {
        this.#events.event('warn', 'server.killed', { server: this.#plan.name, afterMs: deadlineMs });
        process.kill('SIGKILL');
      }, deadlineMs);
      await ended;
      clearTimeout(timer);
    }
    this.#state = 'stopped';
    this.#giveUp('it was stopped');
  }

  /** Stops its process where it is, or lets it go on. Throws ServiceError FAILED when there is none. */
  hold(isHeld: boolean): void {
    if (this.#process === undefined) throw new ServiceError('FAILED', `${this.#plan.name} is not running`);
    this.#process.kill(isHeld ? 'SIGSTOP' : 'SIGCONT');
    this.#isHeld = isHeld;
    this.#events.event('info', isHeld ? 'server.held' : 'server.continued', { server: this.#plan.name });
  }

  /** Ends it at once, without a word. */
  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#process?.kill('SIGKILL');
  }

  #spawn(): void {
    assert(this.#process === undefined, 'a server has one process at a time');
    const parameters = [...this.#plan.parameters, ...(this.#blank ? ['--blank'] : [])];
    // A session of its own: Ctrl-C on the terminal reaches the supervisor only, which stops all in order.
    const child = spawn(process.execPath, [...SERVING_OPTIONS, ...parameters], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...this.#plan.environment },
      detached: true,
    });
    this.#process = child;
    this.#isHeld = false;
    this.#state = 'starting';
    if (child.stdout !== null && child.stderr !== null) {
      this.#events.output(this.#plan.name, child.stdout);
      this.#events.output(this.#plan.name, child.stderr);
    }
    child.on('message', (message: unknown) => {
      if (isToSupervisor(message)) {
        this.#hear(message);
      }
    });
    child.once('error', (error) => {
      this.#lastFailure = error.message;
      this.#events.event('error', 'server.spawn_failed', { server: this.#plan.name, reason: error.message });
      if (child.pid === undefined) {
        // Never born: no exit will follow.
        this.#ended(null, null);
      }
    });
    child.once('exit', (status, signal) => this.#ended(status, signal));
    this.#events.changed();
  }

  #hear(message: ToSupervisor): void {
    switch (message.kind) {
      case 'loaded':
        if (!this.#held) {
          this.#send({ kind: 'go' });
        }
        return;
      case 'ready':
        this.#state = 'up';
        this.#blank = false;
        this.#upSinceMs = performance.now();
        this.#lastFailure = '';
        for (const waiter of [...this.#waiters]) {
          waiter.resolve();
        }
        this.#events.changed();
        return;
      case 'failed':
        this.#lastFailure = message.message;
        return;
    }
  }

  #ended(status: number | null, signal: NodeJS.Signals | null): void {
    this.#process = undefined;
    if (this.#stopping) {
      this.#state = 'stopped';
      this.#events.changed();
      return;
    }
    if (isRequested(status) || (this.#state === 'up' && performance.now() - this.#upSinceMs > HEALTHY_AFTER_MS)) {
      this.#crashes = 0;
    }
    const decision = afterExit(status, this.#crashes, this.#blank);
    const fields = { server: this.#plan.name, status, signal, reason: this.#lastFailure };
    if (decision.action === 'leave') {
      this.#state = 'terminated';
      this.#events.event('info', 'server.terminated', fields);
      this.#giveUp('it was terminated');
    } else {
      this.#blank = decision.blank;
      this.#state = 'waiting';
      if (isRequested(status)) {
        this.#events.event('info', 'server.restarting', { server: this.#plan.name, blank: decision.blank });
      } else {
        this.#crashes += 1;
        if (this.#crashes >= HOPELESS_CRASHES) {
          this.#giveUp(this.#lastFailure === '' ? `it ended with ${signal ?? status}` : this.#lastFailure);
        }
        this.#events.event('warn', 'server.crashed', { ...fields, startsAgainAfterMs: decision.delayMs });
      }
      this.#timer = setTimeout(() => this.#spawn(), decision.delayMs);
    }
    this.#events.changed();
  }

  #giveUp(why: string): void {
    for (const waiter of [...this.#waiters]) {
      waiter.reject(new Error(`${this.#plan.name} is not up: ${why}`));
    }
  }

  #send(message: FromSupervisor): void {
    const child = this.#process;
    if (child?.connected === true) {
      // The channel may break under our hands when the process ends; its exit tells us all we need.
      child.send(message, () => {});
    }
  }
}
