// The way from the command line to a mediator of a configuration. Any of several does:
// those that are not active pass on what they are asked.
import type { Config } from '../config.js';
import { asWrongServer, ServiceError } from '../protocol/errors.js';
import type { AdminService } from '../protocol/services/admin.js';
import { connectRemote, type Remote } from '../protocol/wire/client.js';
import { CommandFailure } from './failure.js';
import { secretOption, unixPathOption } from './paths.js';
import { commandRuntime } from './runtime.js';

/** Restarting a server waits for the new process; nothing else takes this long. */
export const SLOW_CALL_MS = 60_000;
const CONNECT_DEADLINE_MS = 3000;

/** Connects to a mediator, carries out `use` with its admin service, and closes the connection. */
export async function withAdmin<T>(config: Config, use: (admin: AdminService) => Promise<T>): Promise<T> {
  return withMediator(config, async (remote, remotes) => {
    if (remote === undefined) throw await whyNot(remotes, addressesOf(config));
    return use(remote.service<AdminService>('admin'));
  });
}

/** Whether a mediator answers at all; `use` is carried out only then. */
export async function ifRunning<T>(config: Config, use: (admin: AdminService) => Promise<T>): Promise<T | undefined> {
  return withMediator(config, async (remote) => {
    return remote === undefined ? undefined : use(remote.service<AdminService>('admin'));
  });
}

async function withMediator<T>(
  config: Config,
  use: (remote: Remote | undefined, remotes: readonly Remote[]) => Promise<T>,
): Promise<T> {
  const remotes = config.mediators.map(({ name, address }) =>
    connectRemote(
      {
        ...{ name, address, connectDeadlineMs: CONNECT_DEADLINE_MS, whileDown: 'fail' },
        deadlineMs: Math.max(10_000, config.deadlineMs * 3),
        ...unixPathOption(config, name),
        ...secretOption(config),
      },
      commandRuntime(),
    ),
  );
  try {
    return await use(await firstUp(remotes), remotes);
  } catch (error) {
    throw asWrongServer(error, 'mediator', addressesOf(config));
  } finally {
    await Promise.all(remotes.map((remote) => remote.close()));
  }
}

function addressesOf({ mediators }: Config): string {
  return mediators.map(({ address }) => address).join(', ');
}

/** A clear word on why no mediator can be asked: it is not there, or it refuses us. */
async function whyNot([first]: readonly Remote[], address: string): Promise<Error> {
  try {
    await first?.service<AdminService>('admin').status({});
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'REFUSED') return error;
  }
  return new CommandFailure(`no mediator answers at ${address}; "nmrfs up" starts one`);
}

/** The first to which there is a connection; undefined when there is none to any. */
function firstUp(remotes: readonly Remote[]): Promise<Remote | undefined> {
  return new Promise((resolve) => {
    const settle = (): void => {
      const up = remotes.find(({ state }) => state === 'up');
      if (up !== undefined || remotes.every(({ state }) => state === 'down')) resolve(up);
    };
    for (const remote of remotes) remote.onStateChange(settle);
    settle();
  });
}
