// The way from the command line to the mediator of a configuration.
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

/** Connects to the mediator, carries out `use` with its admin service, and closes the connection. */
export async function withAdmin<T>(config: Config, use: (admin: AdminService) => Promise<T>): Promise<T> {
  const remote = connectMediator(config);
  try {
    await requireUp(remote, config.mediator.address);
    return await use(remote.service<AdminService>('admin'));
  } catch (error) {
    throw asWrongServer(error, 'mediator', config.mediator.address);
  } finally {
    await remote.close();
  }
}

/** Whether a mediator answers at all; `use` is carried out only then. */
export async function ifRunning<T>(config: Config, use: (admin: AdminService) => Promise<T>): Promise<T | undefined> {
  const remote = connectMediator(config);
  try {
    if (!(await connected(remote))) {
      return undefined;
    }
    return await use(remote.service<AdminService>('admin'));
  } catch (error) {
    throw asWrongServer(error, 'mediator', config.mediator.address);
  } finally {
    await remote.close();
  }
}

function connectMediator(config: Config): Remote {
  const options = {
    name: 'mediator',
    address: config.mediator.address,
    deadlineMs: Math.max(10_000, config.deadlineMs * 3),
    connectDeadlineMs: CONNECT_DEADLINE_MS,
    whileDown: 'fail' as const,
    ...unixPathOption(config, 'mediator'),
    ...secretOption(config),
  };
  return connectRemote(options, commandRuntime());
}

/** A clear word on why the mediator can't be asked: it is not there, or it refuses us. */
async function requireUp(remote: Remote, address: string): Promise<void> {
  if (await connected(remote)) {
    return;
  }
  try {
    await remote.service<AdminService>('admin').status({});
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'REFUSED') {
      throw error;
    }
    throw new CommandFailure(`no mediator answers at ${address}; "nmrfs up" starts one`);
  }
}

function connected(remote: Remote): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (): void => {
      if (remote.state !== 'connecting') {
        resolve(remote.state === 'up');
      }
    };
    remote.onStateChange(settle);
    settle();
  });
}
