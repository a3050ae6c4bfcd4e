// `nmrfs serve data` in the foreground: the data server as a child process, so
// that the restart hook gives a really new process here too. Crashes are left
// to whoever runs this (a service manager); terminate ends it.
import { type ChildProcess, spawn } from 'node:child_process';
import { dataServerEnvironment } from '../runtime/node/malloc-options.js';
import { SERVING_OPTIONS } from '../runtime/node/v8-options.js';
import { COMMAND_FILE } from './command-file.js';
import { CommandFailure } from './failure.js';
import { type ServeRequest, selectServer } from './open-server.js';
import { type FromSupervisor, isToSupervisor } from './supervisor/link.js';
import { afterExit, isRequested } from './supervisor/restart-policy.js';

/** Serves until a signal; resolves when the process has stopped, throws when it crashed or was terminated. */
export async function serveRestartable(request: ServeRequest): Promise<void> {
  const { server } = selectServer(request.config.dataservers, request.id);
  let child: ChildProcess | undefined;
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stopping = true;
      tell(child, { kind: 'stop' });
    });
  }
  let blank = request.blank;
  while (!stopping) {
    const command = [COMMAND_FILE, 'serve', 'data', '--id', server.name, '--config', request.config.file];
    child = spawn(process.execPath, [...SERVING_OPTIONS, ...command, ...(blank ? ['--blank'] : [])], {
      env: { ...process.env, ...dataServerEnvironment(process.env) },
      // A supervised server logs to standard error; here that is our standard output.
      stdio: ['ignore', 'inherit', process.stdout.isTTY ? 'inherit' : 1, 'ipc'],
      // Ctrl-C is passed on by this process, in one way only.
      detached: true,
    });
    const { status, failure } = await run(child);
    if (stopping) {
      return;
    }
    if (!isRequested(status)) {
      throw new CommandFailure(`${server.name}: ${failure ?? `its process ended with ${status ?? 'a signal'}`}`);
    }
    const decision = afterExit(status, 0, blank);
    if (decision.action === 'leave') {
      throw new CommandFailure(`${server.name} was terminated`, status ?? undefined);
    }
    blank = decision.blank;
  }
}

/** How its process ended, and why it could not serve if it has said so. */
interface Ending {
  status: number | null;
  failure: string | undefined;
}

function run(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve, reject) => {
    let failure: string | undefined;
    child.once('error', reject);
    child.on('message', (message: unknown) => {
      if (!isToSupervisor(message)) {
        return;
      }
      if (message.kind === 'loaded') {
        tell(child, { kind: 'go' });
      } else if (message.kind === 'failed') {
        failure = message.message;
      }
    });
    child.once('exit', (status) => resolve({ status, failure }));
  });
}

function tell(child: ChildProcess | undefined, message: FromSupervisor): void {
  if (child?.connected === true) {
    // When the channel breaks under our hands the process has ended, which is noticed by itself.
    child.send(message, () => {});
  }
}
