// A mount whose mediator is another process, here or on another host.
import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAddress } from '../config/values.js';
import type { Config } from '../config.js';
import { connectRemote } from '../protocol/client.js';
import type { FileService } from '../protocol/files.js';
import type { SessionService } from '../protocol/sessions.js';
import { compileEarly } from '../runtime/node/compile-early.js';
import { nodeRuntime } from '../runtime/node/runtime.js';
import { bindingEnvironment, chooseBinding } from './binding.js';
import { loadConfig } from './config-file.js';
import { CommandFailure, usageError } from './failure.js';
import { clearDeadMount } from './mounts.js';
import { secretOption, unixPathOption } from './paths.js';

const COMMAND = fileURLToPath(new URL('./main.js', import.meta.url));
/** A file operation may wait for the mediator's own deadlines several times over. */
const DEADLINES_PER_OPERATION = 10;

export interface MountRequest {
  config: Config;
  directory: string;
  mediator: string;
  binding: 'kernel' | 'fuse-native';
  readOnly: boolean;
  allowOther: boolean;
  attributeTimeoutMs: number;
}

/** Reads the command line. Throws a usage error for what can't be meant. */
export async function readMountRequest(
  directory: string,
  given: { config: string; mediator?: string; binding?: 'kernel' | 'fuse-native'; option: readonly string[] },
): Promise<MountRequest> {
  const config = await loadConfig(given.config);
  const mediator = given.mediator ?? config.mediator.address;
  if (parseAddress(mediator) === undefined) {
    throw usageError(`--mediator ${mediator}: it must be HOST:PORT`);
  }
  const request: MountRequest = {
    config,
    directory: resolve(directory),
    mediator,
    binding: chooseBinding(given.binding ?? config.mount.binding),
    readOnly: config.mount.readOnly,
    allowOther: config.mount.allowOther,
    attributeTimeoutMs: config.mount.attributeTimeoutMs,
  };
  for (const option of given.option) {
    applyOption(request, option);
  }
  const folder = await stat(request.directory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTCONN') {
      return undefined;
    }
    throw error;
  });
  if (folder?.isDirectory() === false) {
    throw new CommandFailure(`${request.directory}: is no folder`);
  }
  return request;
}

function applyOption(request: MountRequest, option: string): void {
  const timeout = /^attribute_timeout=(\d+)$/.exec(option);
  if (timeout !== null) {
    request.attributeTimeoutMs = Number(timeout[1]);
    return;
  }
  switch (option) {
    case 'ro':
      request.readOnly = true;
      return;
    case 'rw':
      request.readOnly = false;
      return;
    case 'allow_other':
      request.allowOther = true;
      return;
    case 'no_allow_other':
      request.allowOther = false;
      return;
    default:
      throw usageError(`-o ${option}: known options are ro, rw, allow_other, no_allow_other, attribute_timeout=MS`);
  }
}

/** Mounts in a process of its own and returns when it is mounted. */
export async function mountInBackground(request: MountRequest): Promise<void> {
  const { config, directory, mediator, binding, readOnly, allowOther, attributeTimeoutMs } = request;
  const options = [
    readOnly ? 'ro' : 'rw',
    allowOther ? 'allow_other' : 'no_allow_other',
    `attribute_timeout=${attributeTimeoutMs}`,
  ];
  const parameters = ['mount', directory, '--foreground', '--config', config.file, '--mediator', mediator];
  const environment = await bindingEnvironment(binding);
  const child = spawn(process.execPath, [COMMAND, ...parameters, '--binding', binding, '-o', options.join(',')], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ...environment },
  });
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += String(chunk);
  });
  await new Promise<void>((resolveReady, reject) => {
    child.once('message', () => resolveReady());
    child.once('error', reject);
    child.once('close', () => {
      const words = said.trim().split('\n').at(-1) ?? '';
      reject(new CommandFailure(words.replace(/^nmrfs: /, '') || 'the mount ended before it was ready'));
    });
  });
  child.removeAllListeners('close');
  child.stderr?.destroy();
  child.disconnect();
  child.unref();
}

/** Mounts in this process; resolves when the mount is gone. */
export async function mountRemote(request: MountRequest): Promise<void> {
  compileEarly();
  const { config, directory, mediator, binding, readOnly, allowOther, attributeTimeoutMs } = request;
  const { mountFileSystem } = await import('../fuse-client/mount.js');
  const runtime = nodeRuntime({ logLevel: config.logLevel, logName: 'mount' });
  const remote = connectRemote(
    {
      name: 'mediator',
      address: mediator,
      deadlineMs: config.deadlineMs * DEADLINES_PER_OPERATION,
      whileDown: 'wait',
      // The socket of this configuration's mediator, not of another one that was named.
      ...(mediator === config.mediator.address ? unixPathOption(config, 'mediator') : {}),
      ...secretOption(config),
    },
    runtime,
  );
  try {
    const files = remote.service<FileService>('files');
    await files.statfs({}, { deadlineMs: config.deadlineMs }).catch((error: unknown) => {
      throw new CommandFailure(`the mediator at ${mediator} does not answer: ${String(error)}`);
    });
    await clearDeadMount(directory);
    const { maximumDirtyBytes } = config.mount;
    const sessions = remote.service<SessionService>('sessions');
    const options = { directory, binding, readOnly, allowOther, attributeTimeoutMs, maximumDirtyBytes, sessions };
    const mount = await mountFileSystem(files, options, runtime);
    process.send?.({ kind: 'ready' });
    const signalled = new Promise<void>((resolveSignal) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => resolveSignal());
      }
    });
    await Promise.race([mount.ended, signalled.then(() => mount.unmount())]);
  } finally {
    await remote.close();
  }
  process.exit(0);
}
