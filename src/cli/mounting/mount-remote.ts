// A mount whose mediator is another process, here or on another host.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import type { MediatorConfig } from '../../config.js';
import { asWrongServer } from '../../protocol/errors.js';
import type { FileService } from '../../protocol/services/files.js';
import type { SessionService } from '../../protocol/services/sessions.js';
import { RepeatedCalls } from '../../protocol/wire/repeated-calls.js';
import { hasCode, messageOf } from '../../runtime/caught-errors.js';
import { nodeRuntime } from '../../runtime/node/runtime.js';
import { compileEarly, SERVING_OPTIONS } from '../../runtime/node/v8-options.js';
import { COMMAND_FILE } from '../command-file.js';
import { exitOnDefect } from '../defects.js';
import { CommandFailure, describeFailure } from '../failure.js';
import { RotatingFile } from '../rotating-file.js';
import { bindingEnvironment } from './binding.js';
import { followMediators } from './mediators.js';
import { mountLogFile } from './mount-log.js';
import type { MountRequest } from './mount-request.js';
import { clearDeadMount } from './mounts.js';

const LOG_MODE = 0o640;

/** Mounts in a process of its own and returns when it is mounted. Answers where that one's log is, if it has one. */
export async function mountInBackground(request: MountRequest): Promise<string | undefined> {
  const { config, directory, binding, source, given } = request;
  const parameters = ['mount', directory, '--foreground', '--binding', binding, '--source', source];
  if (!given.configIsOptional || existsSync(given.config)) {
    parameters.push('--config', given.config);
  }
  if (given.mediator !== undefined) {
    parameters.push('--mediator', given.mediator);
  }
  if (given.option.length > 0) {
    parameters.push('-o', given.option.join(','));
  }
  const log = given.log ?? (await mountLogFile(config, directory));
  if (log !== undefined) {
    parameters.push('--log', log);
  }
  // What is no line of the log (a crash's last words) goes there too.
  const output = log === undefined ? undefined : openSync(log, 'a', LOG_MODE);
  const environment = await bindingEnvironment(binding);
  const child = spawn(process.execPath, [...SERVING_OPTIONS, COMMAND_FILE, ...parameters], {
    detached: true,
    stdio: ['ignore', output ?? 'ignore', output ?? 'ignore', 'ipc'],
    env: { ...process.env, ...environment },
  });
  if (output !== undefined) {
    closeSync(output);
  }
  await new Promise<void>((resolveReady, reject) => {
    child.once('message', (message: FromMount) => {
      if (message.kind === 'ready') {
        resolveReady();
      } else {
        reject(new CommandFailure(message.text));
      }
    });
    child.once('error', reject);
    child.once('exit', () => {
      const where = log === undefined ? '' : `; its log is ${log}`;
      reject(new CommandFailure(`the mount ended before it was ready${where}`));
    });
  });
  child.removeAllListeners('exit');
  child.disconnect();
  child.unref();
  return log;
}

/** What a mount in the background tells the command that has started it. */
type FromMount = { kind: 'ready' } | { kind: 'failed'; text: string };

/** Tells whoever has put this process into the background, if anybody has. */
function tell(message: FromMount): Promise<void> {
  return new Promise((done) => {
    if (process.send === undefined) {
      done();
    } else {
      // It may have gone meanwhile, which concerns nobody here.
      process.send(message, undefined, undefined, () => done());
    }
  });
}

/** Mounts in this process; resolves when the mount is gone. */
export async function mountRemote(request: MountRequest): Promise<void> {
  try {
    await mountHere(request);
  } catch (error) {
    await tell({ kind: 'failed', text: describeFailure(error).text });
    throw error;
  }
  process.exit(0);
}

/** Why the mediator did not answer the first call, in words for a person. */
function whyNotAnswered(error: unknown, mediators: readonly MediatorConfig[]): unknown {
  const address = mediators.map((mediator) => mediator.address).join(', ');
  if (hasCode(error, 'UNKNOWN_METHOD')) return asWrongServer(error, 'mediator', address);
  if (mediators.length > 1) return new CommandFailure(`no mediator at ${address} is active: ${messageOf(error)}`);
  return new CommandFailure(`the mediator at ${address} does not answer: ${messageOf(error)}`);
}

/** Resolves with the first signal that asks for the end; a second one of its kind ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolveSignal) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => resolveSignal());
    }
  });
}

async function mountHere(request: MountRequest): Promise<void> {
  compileEarly();
  const { config, directory, mediators, binding, readOnly, allowOther, attributeTimeoutMs, source, kernelOptions } =
    request;
  const { mountFileSystem } = await import('../../fuse-client/mount.js');
  const { log } = request.given;
  const destination = log === undefined ? {} : { destination: new RotatingFile(log) };
  const runtime = nodeRuntime({ logLevel: config.logLevel, logName: 'mount', ...destination });
  exitOnDefect(runtime.log);
  const followed = followMediators(config, mediators, runtime);
  const { remote, deadlineMs } = followed;
  try {
    const files = remote.service<FileService>('files');
    // While none is active, one of several takes over within this time.
    await files.statfs({}, { deadlineMs: config.deadlineMs }).catch((error: unknown) => {
      throw whyNotAnswered(error, mediators);
    });
    await clearDeadMount(directory);
    const { maximumDirtyBytes } = config.mount;
    const sessions = remote.service<SessionService>('sessions');
    const options = {
      ...{ directory, binding, readOnly, allowOther, attributeTimeoutMs, maximumDirtyBytes, sessions },
      ...{ source, kernelOptions, accessTimes: request.accessTimes },
      lost: new RepeatedCalls(remote, deadlineMs, runtime.clock),
    };
    // Programs use the mount before mountFileSystem has resolved: a signal that comes meanwhile must not leave it dead.
    const signalled = stopSignal();
    const mount = await mountFileSystem(files, options, runtime).catch((error: unknown) => {
      throw new CommandFailure(`${directory}: ${messageOf(error)}`);
    });
    await tell({ kind: 'ready' });
    await Promise.race([mount.ended, signalled.then(() => mount.unmount())]);
  } finally {
    await followed.close();
  }
}
