// The servers that the chaos monkey works on: by their hooks, and as processes of its own where it may kill them.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CatalogServerConfig } from '../../../catalog/configuration/catalog-config.js';
import { callXmlRpc, XmlRpcFault, type XmlRpcValue } from '../../../protocol/http/xml-rpc.js';
import { rethrowProgramFault } from '../../../runtime/faults.js';
import { CommandFailure } from '../../failure.js';

const START_LIMIT_MS = 20_000;
const LOOK_MS = 50;
const CALL_DEADLINE_MS = 2000;

export interface ServerStatus {
  readonly name: string;
  readonly protocol: string;
  readonly role: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export class ChaosServer {
  #process: ChildProcess | null = null;
  readonly #config: string;
  readonly #secret: string | undefined;

  /** @param config the file, for its processes */
  constructor(
    readonly server: CatalogServerConfig,
    config: string,
    secret: string | undefined,
  ) {
    this.#config = config;
    this.#secret = secret;
  }

  get name(): string {
    return this.server.name;
  }

  call(method: string, ...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
    const secret = this.#secret === undefined ? {} : { secret: this.#secret };
    return callXmlRpc(this.server.address, method, parameters, { ...secret, deadlineMs: CALL_DEADLINE_MS });
  }

  /** Asks again until it is answered: a busy server may answer too late. Throws CommandFailure when it is refused, or takes too long. */
  async insist(hook: 'crash' | 'restore', limitMs: number): Promise<void> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      try {
        await this.call(hook);
        return;
      } catch (error) {
        if (error instanceof XmlRpcFault) throw new CommandFailure(`${this.name}: ${error.message}`);
        rethrowProgramFault(error);
        if (performance.now() > endMs) {
          throw new CommandFailure(`${this.name} has not answered ${hook} within ${limitMs / 1000} s`);
        }
      }
      await sleep(LOOK_MS);
    }
  }

  /** undefined when it does not answer. */
  async status(): Promise<ServerStatus | undefined> {
    try {
      const headers: Record<string, string> = {};
      if (this.#secret !== undefined) headers.authorization = `Basic ${btoa(`nmrfs:${this.#secret}`)}`;
      const url = `http://${this.server.address}/status`;
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(CALL_DEADLINE_MS) });
      return response.ok ? ((await response.json()) as ServerStatus) : undefined;
    } catch {
      // It is down, or stopped: that is all that is asked.
      return undefined;
    }
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const command = process.argv[1];
    if (command === undefined) throw new CommandFailure('the command that runs is not known');
    this.#process ??= spawn(process.execPath, [command, 'catalog', 'serve', this.#config, this.name], {
      stdio: 'ignore',
    });
    const endMs = Date.now() + START_LIMIT_MS;
    while ((await this.status()) === undefined) {
      if (this.#process.exitCode !== null) throw new CommandFailure(`${this.name} has ended: is its port in use?`);
      if (Date.now() > endMs) throw new CommandFailure(`${this.name} does not answer at ${this.server.address}`);
      await sleep(LOOK_MS);
    }
  }

  /** Of its own process only. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}
