// nmrfs catalog chaos: crashes and restores servers, or kills and stops them, while clients write; then says whether everything held.
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CatalogConfig } from '../../../catalog/configuration/catalog-config.js';
import { rethrowProgramFault } from '../../../runtime/faults.js';
import { CommandFailure, describeFailure, usageError } from '../../failure.js';
import { print } from '../../output.js';
import { loadCatalogConfig } from '../load-catalog-config.js';
import { preparePaths, runClients } from './chaos-clients.js';
import { ChaosServer } from './chaos-servers.js';
import { History } from './history.js';
import { whyNotReady } from './readiness.js';
import { seededFractions } from './seeded-fractions.js';
import { haveChanged, NOT_KNOWN } from './seen-versions.js';

export interface ChaosOptions {
  readonly minutes: string;
  readonly seed: string;
  /** Starts the servers itself, and kills and stops them. */
  readonly processes?: true;
  /** Crashes a majority as well, now and then. */
  readonly majority?: true;
}

const FAULT_MS = 3000;
const CALM_MS = 2000;
/** How soon a server that was restored must have everything. */
const CATCH_UP_MS = 5000;
const LOOK_MS = 100;
/** A server that is told to crash, or to be restored, must have answered by then. */
const INSIST_MS = 30_000;
/** All servers must answer, and take requests, before it begins. */
const READY_MS = 60_000;

/** What had nearly been answered when a majority went is answered within that; reads by a lease are. */
const LAST_ANSWERS_MS = 1000;
/** A client that asks a server which is stopped gives up after that. */
const LONGEST_REQUEST_MS = 12_000;

type Fault = 'crash' | 'kill' | 'stop';

export async function runChaos(file: string, options: ChaosOptions): Promise<void> {
  const minutes = Number(options.minutes);
  const seed = Number(options.seed);
  if (!(minutes > 0)) throw usageError(`--minutes ${options.minutes}: must be a number above 0`);
  if (!Number.isSafeInteger(seed)) throw usageError(`--seed ${options.seed}: must be a whole number`);
  const config = await loadCatalogConfig(file);
  const monkey = new Monkey(config, resolve(file), seed, options);
  try {
    await monkey.run(minutes * 60_000);
  } finally {
    await monkey.end();
  }
}

/** Primary-backup and lazy go on with whoever is left. */
function blocksWithoutMajority({ protocol, readQuorum, writeQuorum }: CatalogConfig): boolean {
  if (protocol === 'quorum') return readQuorum === undefined && writeQuorum === undefined;
  return protocol === 'raft' || protocol === 'viewstamped';
}

class Monkey {
  readonly #servers: readonly ChaosServer[];
  readonly #history = new History();
  readonly #problems: string[] = [];
  /** Who was seen to lead each term. */
  readonly #leaders = new Map<string, string>();
  readonly #fraction: () => number;
  readonly #beganMs = performance.now();
  #faults = 0;
  #isOver = false;

  readonly #config: CatalogConfig;
  readonly #options: ChaosOptions;

  constructor(config: CatalogConfig, file: string, seed: number, options: ChaosOptions) {
    this.#config = config;
    this.#options = options;
    this.#fraction = seededFractions(seed);
    this.#servers = config.servers.map((server) => new ChaosServer(server, file, config.secret));
  }

  async run(durationMs: number): Promise<void> {
    if (this.#options.processes) for (const server of this.#servers) await server.start();
    const { protocol, secret } = this.#config;
    const addresses = this.#servers.map(({ server }) => server.address);
    await this.#waitUntilReady();
    const common = { addresses, secret, protocol, history: this.#history, fraction: this.#fraction };
    const paths = await preparePaths(common, randomBytes(4).toString('hex'));
    const clients = runClients(paths, { ...common, isOver: () => this.#isOver });
    const watching = this.#watchLeaders();
    const endMs = performance.now() + durationMs;
    try {
      while (performance.now() < endMs) {
        await sleep(CALM_MS * (0.5 + this.#fraction()));
        await this.#harm(paths);
      }
    } catch (error) {
      rethrowProgramFault(error);
      this.#problems.push(`no more faults after this: ${describeFailure(error).text}`);
    }
    this.#isOver = true;
    await Promise.all([clients, watching]);
    await this.#settle(paths);
    this.#say(`${this.#history.operations.length} answers and ${this.#faults} faults`);
    this.#problems.push(...this.#history.problems(protocol));
    for (const problem of this.#problems.slice(0, 20)) print(`  ${problem}`);
    if (this.#problems.length > 0) throw new CommandFailure(`verdict: ${this.#problems.length} promises were broken`);
    print('verdict: everything held');
  }

  /** Says what it waits for, whenever that changes. */
  async #waitUntilReady(): Promise<void> {
    const endMs = performance.now() + READY_MS;
    let told = '';
    for (;;) {
      const why = whyNotReady(
        this.#config.protocol,
        await Promise.all(this.#servers.map(async (server) => ({ name: server.name, status: await server.status() }))),
      );
      if (why === null) return;
      if (performance.now() > endMs)
        throw new CommandFailure(`the catalog is not ready after ${READY_MS / 1000} s: ${why}`);
      if (why !== told) this.#say(`waits: ${why}`);
      told = why;
      await sleep(LOOK_MS);
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    if (this.#options.processes) await Promise.all(this.#servers.map((server) => server.kill()));
  }

  async #harm(paths: readonly string[]): Promise<void> {
    const minority = Math.ceil(this.#servers.length / 2) - 1;
    const isMajority = this.#options.majority === true && this.#fraction() < 0.2;
    const count = isMajority ? minority + 1 : 1 + Math.floor(this.#fraction() * Math.max(1, minority));
    const victims = this.#pick(Math.min(count, this.#servers.length));
    const faults = this.#faultKinds;
    const fault = faults[Math.floor(this.#fraction() * faults.length)] ?? 'crash';
    this.#faults++;
    this.#say(`${fault} ${victims.map(({ name }) => name).join(', ')}`);
    await Promise.all(victims.map((victim) => this.#begin(fault, victim)));
    const blocksFromMs = performance.now() + LAST_ANSWERS_MS;
    const before = fault === 'crash' ? await this.#versions(victims, paths) : [];
    await sleep(FAULT_MS * (0.5 + this.#fraction()));
    const after = fault === 'crash' ? await this.#versions(victims, paths) : [];
    if (haveChanged(before, after)) {
      this.#problems.push(`a crashed server has changed what it has: ${victims.map(({ name }) => name).join(', ')}`);
    }
    const backMs = performance.now();
    await Promise.all(victims.map((victim) => this.#stop(fault, victim)));
    this.#say(`back: ${victims.map(({ name }) => name).join(', ')}`);
    if (victims.length > minority && blocksWithoutMajority(this.#config))
      await this.#checkBlocked(blocksFromMs, backMs);
    await this.#catchUp(victims, paths);
  }

  /** While a majority is gone nobody is answered, and everybody is when it is back. */
  async #checkBlocked(fromMs: number, backMs: number): Promise<void> {
    const answered = this.#history.answeredWithin(fromMs, backMs);
    if (answered.length > 0) this.#problems.push(`${answered.length} requests were answered without a majority`);
    const isAnswering = async () => this.#history.answeredWithin(backMs, Number.POSITIVE_INFINITY).length > 0;
    if (!(await this.#until(null, isAnswering, CATCH_UP_MS + LONGEST_REQUEST_MS))) {
      this.#problems.push('nobody is answered though the majority is back');
    }
  }

  /** Whoever is back must soon have what was answered before it came back. */
  async #catchUp(victims: readonly ChaosServer[], paths: readonly string[]): Promise<void> {
    // Gossip takes as long as it is configured to, and lazy loses what one server alone had.
    if (this.#config.protocol === 'quorum' || this.#config.protocol === 'lazy') return;
    const acknowledged = this.#history.acknowledged;
    const beganMs = performance.now();
    const hasAll = async () => {
      for (const victim of victims) {
        for (const path of paths) {
          if ((await this.#versionAt(victim, path)) < (acknowledged.get(path) ?? 0)) return false;
        }
      }
      return true;
    };
    if (await this.#until(null, hasAll, CATCH_UP_MS))
      this.#say(`caught up after ${Math.round(performance.now() - beganMs)} ms`);
    else
      this.#problems.push(
        `${victims.map(({ name }) => name).join(', ')} did not catch up within ${CATCH_UP_MS / 1000} s`,
      );
  }

  /** At the end, everything that was answered is everywhere. */
  async #settle(paths: readonly string[]): Promise<void> {
    const { protocol, gossipMs } = this.#config;
    const acknowledged = this.#history.acknowledged;
    const limitMs = CATCH_UP_MS + (protocol === 'quorum' ? this.#servers.length * gossipMs : 0);
    const isEqual = async () => {
      for (const path of paths) {
        const versions = await Promise.all(this.#servers.map((server) => this.#versionAt(server, path)));
        const isWhole = protocol === 'lazy' || versions.every((version) => version >= (acknowledged.get(path) ?? 0));
        if (new Set(versions).size > 1 || !isWhole) return false;
      }
      return true;
    };
    if (!(await this.#until(null, isEqual, limitMs)))
      this.#problems.push('not all servers have the same, with all that was answered');
  }

  /** One leader a term. */
  async #watchLeaders(): Promise<void> {
    while (!this.#isOver) {
      for (const { name, role, details } of await this.#statuses()) {
        if (role !== 'leader') continue;
        const term = String(details.term);
        const other = this.#leaders.get(term) ?? name;
        this.#leaders.set(term, other);
        // Primary-backup numbers the terms of each primary apart.
        if (other !== name && this.#config.protocol !== 'primary-backup') {
          this.#problems.push(`${other} and ${name} lead term ${term}`);
        }
      }
      await sleep(LOOK_MS);
    }
  }

  async #begin(fault: Fault, victim: ChaosServer): Promise<void> {
    if (fault === 'crash') await victim.insist('crash', INSIST_MS);
    else if (fault === 'kill') await victim.kill();
    else victim.signal('SIGSTOP');
  }

  async #stop(fault: Fault, victim: ChaosServer): Promise<void> {
    if (fault === 'crash') await victim.insist('restore', INSIST_MS);
    else if (fault === 'kill') await victim.start();
    else victim.signal('SIGCONT');
  }

  /** Primary-backup takes a server that is stopped for dead, and does not promise to survive it. */
  get #faultKinds(): readonly Fault[] {
    if (this.#options.processes !== true) return ['crash'];
    return this.#config.protocol === 'primary-backup' ? ['crash', 'kill'] : ['crash', 'kill', 'stop'];
  }

  #pick(count: number): ChaosServer[] {
    const left = [...this.#servers];
    return Array.from({ length: count }, () => left.splice(Math.floor(this.#fraction() * left.length), 1)).flat();
  }

  /** Of each path on each server. */
  async #versions(servers: readonly ChaosServer[], paths: readonly string[]): Promise<number[]> {
    return Promise.all(servers.flatMap((server) => paths.map((path) => this.#versionAt(server, path))));
  }

  /** As it is applied there; NOT_KNOWN when it does not answer in time. */
  async #versionAt(server: ChaosServer, path: string): Promise<number> {
    return server.call('version_here', path).then(Number, () => NOT_KNOWN);
  }

  async #statuses() {
    const statuses = await Promise.all(this.#servers.map((server) => server.status()));
    return statuses.filter((status) => status !== undefined);
  }

  /** @returns whether it was so in time. Throws when it was not, and `what` says what. */
  async #until(what: string | null, condition: () => Promise<boolean>, limitMs: number): Promise<boolean> {
    const endMs = performance.now() + limitMs;
    while (!(await condition())) {
      if (performance.now() > endMs && what !== null)
        throw new CommandFailure(`waited ${limitMs / 1000} s in vain: ${what}`);
      if (performance.now() > endMs) return false;
      await sleep(LOOK_MS);
    }
    return true;
  }

  #say(text: string): void {
    print(`${((performance.now() - this.#beganMs) / 1000).toFixed(1).padStart(7)}  ${text}`);
  }
}
