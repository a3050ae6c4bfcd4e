// The way from the command line to the group of metaservers.
import type { Config } from '../config.js';
import { ServiceError, wasWithoutEffect } from '../protocol/errors.js';
import type { GroupService, GroupStatus } from '../protocol/services/group.js';
import { askStatuses } from '../protocol/services/group-statuses.js';
import { connectRemote } from '../protocol/wire/client.js';
import { type Clock, sleep } from '../runtime/clock.js';
import { CommandFailure } from './failure.js';
import { secretOption, unixPathOption } from './paths.js';
import { commandRuntime } from './runtime.js';

const CALL_DEADLINE_MS = 10_000;
const CONNECT_DEADLINE_MS = 1000;
const STATUS_DEADLINE_MS = 1000;
/** An election takes less. */
const SEARCH_LIMIT_MS = 10_000;
const PAUSE_MS = 100;

/** What each metaserver says that answers, by name. */
export type Standings = ReadonlyMap<string, GroupStatus>;

/** Connects to all metaservers, carries out `use`, and closes the connections. */
export async function withGroup<T>(config: Config, use: (group: GroupClient) => Promise<T>): Promise<T> {
  const runtime = commandRuntime();
  const limits = { deadlineMs: CALL_DEADLINE_MS, connectDeadlineMs: CONNECT_DEADLINE_MS, whileDown: 'wait' } as const;
  const remotes = config.metaservers.map(({ name, address }) => ({
    name,
    remote: connectRemote(
      { name, address, ...limits, ...unixPathOption(config, name), ...secretOption(config) },
      runtime,
    ),
  }));
  const services = new Map(remotes.map(({ name, remote }) => [name, remote.service<GroupService>('group')]));
  try {
    return await use(new GroupClient(services, runtime.clock));
  } finally {
    await Promise.all(remotes.map(({ remote }) => remote.close()));
  }
}

export class GroupClient {
  /** By the names of the metaservers. */
  readonly #services: ReadonlyMap<string, GroupService>;
  readonly #clock: Clock;

  constructor(services: ReadonlyMap<string, GroupService>, clock: Clock) {
    this.#services = services;
    this.#clock = clock;
  }

  /** Throws ServiceError REFUSED when the secret is wrong; a server that can't be reached says nothing. */
  async standings(): Promise<Standings> {
    const answers = await askStatuses([...this.#services.values()], STATUS_DEADLINE_MS);
    const known = new Map<string, GroupStatus>();
    for (const [index, name] of [...this.#services.keys()].entries()) {
      const answer = answers[index];
      if (answer instanceof Error) {
        if (!(answer instanceof ServiceError) || answer.code === 'REFUSED') throw answer;
      } else if (answer !== undefined) {
        known.set(name, answer);
      }
    }
    return known;
  }

  /** Carries out `change` at the metaserver that leads; again at the next one where that one is lost meanwhile: it must bear that. */
  async atLeader(change: (leader: GroupService) => Promise<unknown>): Promise<void> {
    const endMs = this.#clock.monotonicMs() + SEARCH_LIMIT_MS;
    let failure: ServiceError | null = null;
    for (;;) {
      const standings = await this.standings();
      const leader = this.#services.get(leaderOf(standings) ?? '');
      try {
        if (leader !== undefined) {
          await change(leader);
          return;
        }
      } catch (error) {
        if (!(error instanceof ServiceError) || !isWorthAnother(error)) throw error;
        failure = error;
      }
      if (this.#clock.monotonicMs() > endMs) {
        throw failure ?? new CommandFailure(`no metaserver leads; ${standings.size} answer`);
      }
      await sleep(this.#clock, PAUSE_MS);
    }
  }

  /** Waits until the metaservers are as `done` wants them. */
  async until(what: string, done: (known: Standings) => boolean, limitMs = SEARCH_LIMIT_MS): Promise<void> {
    const endMs = this.#clock.monotonicMs() + limitMs;
    while (!done(await this.standings())) {
      if (this.#clock.monotonicMs() > endMs) {
        throw new CommandFailure(`${what} did not happen within ${limitMs} ms`);
      }
      await sleep(this.#clock, PAUSE_MS);
    }
  }
}

/** The name of the one that serves. */
export function leaderOf(standings: Standings): string | undefined {
  return [...standings].find(([, { isServing }]) => isServing)?.[0];
}

/** The leader has not carried it out, or is gone before it said whether it has. */
function isWorthAnother(error: ServiceError): boolean {
  return wasWithoutEffect(error) || error.code === 'OUTCOME_UNKNOWN';
}
