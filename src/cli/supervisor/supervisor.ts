// `nmrfs up`: all servers of a configuration as processes of their own, started
// and stopped in order, and started again when they crash.
import { mkdir } from 'node:fs/promises';
import type { Config } from '../../config.js';
import { ServiceError } from '../../protocol/errors.js';
import { type RunningServer, serve } from '../../protocol/http/server.js';
import { errorFields, hasCode, messageOf } from '../../runtime/caught-errors.js';
import { dataServerEnvironment } from '../../runtime/node/malloc-options.js';
import { nodeRuntime } from '../../runtime/node/runtime.js';
import { ifRunning } from '../admin-client.js';
import { COMMAND_FILE } from '../command-file.js';
import { CommandFailure } from '../failure.js';
import type { DirectoryLock } from '../locks/directory-lock.js';
import { identify, type ProcessIdentity } from '../locks/process-identity.js';
import { clearDeadMount, clearIfDead, requireFolder } from '../mounting/mounts.js';
import { MOUNT_NAME, type ServerKind } from '../open-server.js';
import { logDirectory } from '../paths.js';
import { type ChildPlan, ServerChild } from './child.js';
import type { ControlService } from './control.js';
import { lockInstance, newSecret, readRecord, removeRecord, waitForLeftovers, writeRecord } from './instance.js';
import { Logs, type Show } from './logs.js';
import { judgeReadiness } from './readiness.js';

/** Servers of a supervisor that was killed end by themselves; the slowest waits for the mediator's last flush. */
const LEFTOVER_DEADLINE_MS = 30_000;
/** Longer than a server needs to open its store after a crash; those that take longer are named and go on. */
const STORE_START_MS = 15_000;
/** Servers that are as they are get so long to be let in after all; those that are opening a large store get longer. */
const UNREADABLE_LIMIT_MS = 10_000;
const OPENING_LIMIT_MS = 600_000;
/** So long for metaservers that are let in, or take part again, while others serve. */
const JOINING_LIMIT_MS = 10_000;
const READINESS_POLL_MS = 200;
/** Unmounting flushes what programs wrote, to disks that may be slow. */
const MEDIATOR_STOP_MS = 60_000;
/** By then everything is on the disks already, and only files are closed. */
const STORE_STOP_MS = 10_000;

export interface SupervisorOptions {
  mount: { directory: string; binding: 'kernel' | 'fuse-native'; environment: Record<string, string> };
  show: Show;
}

export class Supervisor {
  #children: ServerChild[];
  #metaservers: ServerChild[];
  #dataservers: ServerChild[];
  readonly #mediators: ServerChild[];
  /** With several mediators; a lone one mounts in its own process. */
  readonly #mount: ServerChild | null;
  readonly #logs: Logs;
  #lock: DirectoryLock | undefined;
  #control: RunningServer | undefined;
  #secret = newSecret();
  #stopping: Promise<void> | undefined;
  #recording: Promise<void> = Promise.resolve();
  readonly #stopAsked: Promise<void>;
  #askStop: () => void = () => {};

  readonly #config: Config;
  readonly #options: SupervisorOptions;

  constructor(config: Config, options: SupervisorOptions) {
    this.#config = config;
    this.#options = options;
    this.#logs = new Logs(logDirectory(config), config.logLevel, (name, line) => {
      // That servers go is no news while they are being stopped; that one of them fails is.
      if (this.#stopping === undefined || line.level !== 'warn') {
        options.show(name, line);
      }
    });
    this.#metaservers = config.metaservers.map(({ name }) => this.#child(name, 'meta', []));
    const dataEnvironment = dataServerEnvironment(process.env);
    this.#dataservers = config.dataservers.map(({ name }) => this.#child(name, 'data', [], dataEnvironment));
    const { directory, binding, environment } = options.mount;
    const mounting = ['--mount', directory, '--binding', binding];
    const [lone, ...more] = config.mediators;
    if (lone !== undefined && more.length === 0) {
      this.#mediators = [this.#child(lone.name, 'mediator', mounting, environment)];
      this.#mount = null;
    } else {
      this.#mediators = config.mediators.map(({ name }) => this.#child(name, 'mediator', []));
      this.#mount = this.#child(MOUNT_NAME, 'mount', mounting, environment);
    }
    const mounts = this.#mount === null ? [] : [this.#mount];
    this.#children = [...this.#metaservers, ...this.#dataservers, ...this.#mediators, ...mounts];
    this.#stopAsked = new Promise((resolve) => {
      this.#askStop = resolve;
    });
  }

  /** Resolves when `nmrfs down` has asked for the end. */
  get stopAsked(): Promise<void> {
    return this.#stopAsked;
  }

  /** Starts everything; resolves when the file system is mounted, with lines on what is not as it should be. Throws CommandFailure. */
  async start(): Promise<string[]> {
    this.#lock = await lockInstance(this.#config);
    try {
      await this.#clearLeftovers();
      await clearDeadMount(this.#options.mount.directory);
      await mkdir(this.#options.mount.directory, { recursive: true }).catch(unlessThere);
      await requireFolder(this.#options.mount.directory);
      await this.#serveControl();
      return await this.#startChildren();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Unmounts and stops all servers in order: those that write before those that are written to. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopInOrder();
    return this.#stopping;
  }

  /** Ends everything at once, without flushing. */
  async kill(): Promise<void> {
    for (const child of this.#children) {
      child.kill();
    }
    await Promise.all(this.#children.map((child) => child.stop()));
    await clearIfDead(this.#options.mount.directory);
    await removeRecord(this.#config);
  }

  async #startChildren(): Promise<string[]> {
    for (const child of this.#children) {
      child.start();
    }
    const stores = [...this.#metaservers, ...this.#dataservers];
    for (const child of stores) {
      child.release();
    }
    const dataservers = Promise.allSettled(this.#dataservers.map((child) => child.ready(STORE_START_MS)));
    // Nothing works without a lone metaserver. Of several, those that are there may be enough.
    const [lone, ...more] = this.#metaservers;
    if (lone !== undefined && more.length === 0) await lone.ready().catch(fail);
    else await Promise.allSettled(this.#metaservers.map((child) => child.ready(STORE_START_MS)));
    // Those that can't serve are named below, each with its reason.
    await dataservers;
    for (const mediator of this.#mediators) mediator.release();
    const failures = await this.#mediatorsBegun();
    const problems = [...(await this.#untilReadable()), ...failures];
    this.#mount?.release();
    await this.#mount?.ready().catch(fail);
    return problems;
  }

  /** Of several mediators one is enough: answers why others can't serve. Throws CommandFailure where none can. */
  async #mediatorsBegun(): Promise<string[]> {
    const limitMs = this.#mediators.length === 1 ? undefined : STORE_START_MS;
    const begun = await Promise.allSettled(this.#mediators.map((mediator) => mediator.ready(limitMs)));
    const failures = begun.flatMap((each) => (each.status === 'rejected' ? [messageOf(each.reason)] : []));
    const [first] = failures;
    if (first !== undefined && failures.length === begun.length) throw new CommandFailure(first);
    return failures;
  }

  /** Waits until reads work; answers what is not as it should be all the same. Throws CommandFailure when they can't. */
  async #untilReadable(): Promise<string[]> {
    const startMs = performance.now();
    for (let isTold = false; ; isTold = true) {
      // A mediator that crashes is started again, and asked again.
      const status = await ifRunning(this.#config, (admin) => admin.status({})).catch(() => undefined);
      const { verdict, summary, problems } = judgeReadiness(
        status,
        [...this.#metaservers, ...this.#dataservers].map(({ news }) => news),
      );
      const isOver = verdict === 'joining' && performance.now() - startMs > JOINING_LIMIT_MS;
      if (verdict === 'ready' || isOver || this.#stopping !== undefined) {
        return problems;
      }
      if (
        verdict !== 'joining' &&
        performance.now() - startMs > (verdict === 'opening' ? OPENING_LIMIT_MS : UNREADABLE_LIMIT_MS)
      ) {
        throw new CommandFailure([summary, ...problems.map((problem) => `  ${problem}`)].join('\n'));
      }
      if (!isTold && verdict !== 'joining') {
        this.#logs.write('supervisor', 'warn', 'reads.waiting', { reason: [summary, ...problems].join('; ') });
      }
      await new Promise((resolve) => setTimeout(resolve, READINESS_POLL_MS));
    }
  }

  async #stopInOrder(): Promise<void> {
    await this.#mount?.stop();
    await Promise.all(this.#mediators.map((child) => child.stop()));
    await Promise.all(this.#dataservers.map((child) => child.stop()));
    await Promise.all(this.#metaservers.map((child) => child.stop()));
    // A mount ends by itself; one that had to be killed could not.
    await clearIfDead(this.#options.mount.directory);
    await this.#control?.close();
    await this.#recording;
    await removeRecord(this.#config);
    this.#logs.close();
    this.#lock?.release();
  }

  async #clearLeftovers(): Promise<void> {
    const record = await readRecord(this.#config);
    if (record === undefined) {
      return;
    }
    const killed = await waitForLeftovers(record, LEFTOVER_DEADLINE_MS);
    if (killed.length > 0) {
      this.#logs.write('supervisor', 'warn', 'supervisor.leftovers_killed', { servers: killed });
    }
    if (await clearIfDead(record.mountDirectory)) {
      this.#logs.write('supervisor', 'warn', 'mount.dead_cleared', { directory: record.mountDirectory });
    }
    await removeRecord(this.#config);
  }

  async #serveControl(): Promise<void> {
    const control: ControlService = {
      list: async () => ({ servers: this.#children.map((child) => child.status) }),
      restart: async ({ name, blank }) => {
        const child = this.#store(name);
        this.#logs.write('supervisor', 'info', 'server.restarting', { server: name, blank });
        await child.restart(blank);
        return {};
      },
      terminate: async ({ name }) => {
        await this.#store(name).terminate();
        return {};
      },
      hold: async ({ name, isHeld }) => {
        this.#store(name).hold(isHeld);
        return {};
      },
      admit: async ({ name }) => {
        if (this.#stopping !== undefined) throw new ServiceError('FAILED', 'nmrfs is being stopped');
        if (this.#children.some(({ status }) => status.name === name)) return {};
        const child = this.#child(name, 'meta', []);
        this.#children = [...this.#children, child];
        this.#metaservers = [...this.#metaservers, child];
        this.#logs.write('supervisor', 'info', 'server.admitted', { server: name });
        child.start();
        child.release();
        await child.ready();
        return {};
      },
      retire: async ({ name }) => {
        const child = this.#store(name);
        await child.retire();
        const without = (children: ServerChild[]) => children.filter((other) => other !== child);
        this.#children = without(this.#children);
        this.#metaservers = without(this.#metaservers);
        this.#dataservers = without(this.#dataservers);
        this.#logs.write('supervisor', 'info', 'server.retired', { server: name });
        this.#recordSoon();
        return {};
      },
      stop: async () => {
        this.#askStop();
        return {};
      },
    };
    // Loopback is open to every user of this machine: the secret is in a file that only ours can read.
    this.#control = await serve(
      { address: '127.0.0.1:0', services: { control }, secret: this.#secret },
      nodeRuntime({ logLevel: 'error', logName: 'supervisor' }),
    );
    await this.#record();
  }

  /** A metaserver or a data server, to be ended or started anew. */
  #store(name: string): ServerChild {
    const child = [...this.#metaservers, ...this.#dataservers].find(({ status }) => status.name === name);
    if (child === undefined) {
      throw new ServiceError('FAILED', `${name}: there is no such server here`);
    }
    if (this.#stopping !== undefined) {
      throw new ServiceError('FAILED', 'nmrfs is being stopped');
    }
    return child;
  }

  #child(name: string, kind: ServerKind, more: string[], environment: Record<string, string> = {}): ServerChild {
    const identity = kind === 'mount' ? [] : ['--id', name];
    const plan: ChildPlan = {
      name,
      parameters: [COMMAND_FILE, 'serve', kind, ...identity, '--config', this.#config.file, ...more],
      environment,
      stopDeadlineMs: kind === 'mediator' || kind === 'mount' ? MEDIATOR_STOP_MS : STORE_STOP_MS,
    };
    return new ServerChild(plan, {
      output: (from, stream) => this.#logs.follow(from, stream),
      event: (level, event, fields) => this.#logs.write('supervisor', level, event, fields),
      changed: () => this.#recordSoon(),
    });
  }

  /** Keeps the record up to date: a supervisor that follows a killed one must know which processes to wait for. */
  #recordSoon(): void {
    this.#recording = this.#recording
      .then(() => this.#record())
      .catch((error: unknown) => {
        this.#logs.write('supervisor', 'error', 'supervisor.record_failed', errorFields(error));
      });
  }

  async #record(): Promise<void> {
    if (this.#control === undefined || this.#stopping !== undefined) {
      return;
    }
    const found = await Promise.all(
      this.#children.map(async ({ status: { name, processId } }) =>
        processId === null ? undefined : identify(name, processId),
      ),
    );
    await writeRecord(this.#config, {
      processId: process.pid,
      address: this.#control.address,
      secret: this.#secret,
      mountDirectory: this.#options.mount.directory,
      children: found.filter((identity): identity is ProcessIdentity => identity !== undefined),
    });
  }
}

/** What is there already is looked at by itself. */
function unlessThere(error: unknown): void {
  if (!hasCode(error, 'EEXIST')) {
    throw error;
  }
}

function fail(error: unknown): never {
  throw new CommandFailure(messageOf(error));
}
