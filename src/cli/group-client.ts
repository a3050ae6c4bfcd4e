// The way from the command line to the metaserver that leads.
import type { Config } from '../config.js';
import { ServiceError } from '../protocol/errors.js';
import type { GroupService, GroupStatus } from '../protocol/services/group.js';
import { connectRemote } from '../protocol/wire/client.js';
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

/** Carries out `change` at the metaserver that leads; again at the next one where the lead changes meanwhile. */
export async function atLeader(config: Config, change: (leader: GroupService) => Promise<unknown>): Promise<void> {
  await withGroup(config, async (services) => {
    const endMs = performance.now() + SEARCH_LIMIT_MS;
    for (;;) {
      const standings = await ask(services);
      const leader = services.get(leaderOf(standings) ?? '');
      try {
        if (leader !== undefined) {
          await change(leader);
          return;
        }
      } catch (error) {
        if (!(error instanceof ServiceError) || error.code !== 'NOT_LEADER') throw error;
      }
      if (performance.now() > endMs) throw new CommandFailure(`no metaserver leads; ${standings.size} answer`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  });
}

/** Waits until the metaservers are as `done` wants them. */
export async function untilStandings(config: Config, what: string, done: (known: Standings) => boolean): Promise<void> {
  await withGroup(config, async (services) => {
    const endMs = performance.now() + SEARCH_LIMIT_MS;
    while (!done(await ask(services))) {
      if (performance.now() > endMs) throw new CommandFailure(`${what} did not happen within ${SEARCH_LIMIT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  });
}

export function leaderOf(standings: Standings): string | undefined {
  return [...standings].find(([, { isServing }]) => isServing)?.[0];
}

type Services = ReadonlyMap<string, GroupService>;

async function withGroup(config: Config, use: (services: Services) => Promise<void>): Promise<void> {
  const runtime = commandRuntime();
  const limits = { deadlineMs: CALL_DEADLINE_MS, connectDeadlineMs: CONNECT_DEADLINE_MS, whileDown: 'wait' } as const;
  const remotes = config.metaservers.map(({ name, address }) => ({
    name,
    remote: connectRemote(
      { name, address, ...limits, ...unixPathOption(config, name), ...secretOption(config) },
      runtime,
    ),
  }));
  try {
    await use(new Map(remotes.map(({ name, remote }) => [name, remote.service<GroupService>('group')])));
  } finally {
    await Promise.all(remotes.map(({ remote }) => remote.close()));
  }
}

async function ask(services: Services): Promise<Standings> {
  const answers = await Promise.all(
    [...services].map(async ([name, service]) => {
      const status = await service.status({}, { deadlineMs: STATUS_DEADLINE_MS }).catch((error: unknown) => {
        // Those that can't be reached say nothing; a wrong secret is the caller's fault.
        if (error instanceof ServiceError && error.code !== 'REFUSED') return null;
        throw error;
      });
      return status === null ? [] : [[name, status] as const];
    }),
  );
  return new Map(answers.flat());
}
