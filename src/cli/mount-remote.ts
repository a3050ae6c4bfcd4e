// A mount whose mediator is another process, here or on another host.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAddress } from '../config/values.js';
import { type Config, parseConfig } from '../config.js';
import { connectRemote } from '../protocol/client.js';
import type { FileService } from '../protocol/files.js';
import { RepeatedCalls } from '../protocol/repeated-calls.js';
import type { SessionService } from '../protocol/sessions.js';
import { nodeRuntime } from '../runtime/node/runtime.js';
import { compileEarly, SERVING_OPTIONS } from '../runtime/node/v8-options.js';
import { bindingEnvironment, chooseAllowOther, chooseAttributeTimeoutMs, chooseBinding } from './binding.js';
import { hasCode, loadConfig } from './config-file.js';
import { configTemplate } from './config-template.js';
import { CommandFailure, usageError } from './failure.js';
import { parseMountOptions, unknownOptions } from './mount-options.js';
import { clearDeadMount, mountPoint } from './mounts.js';
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
  accessTimes: 'noatime' | 'relatime';
  attributeTimeoutMs: number;
  /** What df shows as the device. */
  source: string;
  kernelOptions: readonly string[];
  /** For a process that is to read the same request. */
  given: GivenMount;
}

/** As on the command line. */
export interface GivenMount {
  config: string;
  /** A missing configuration file means that there is nothing to configure, as long as the mediator is named. */
  configIsOptional: boolean;
  mediator?: string;
  binding?: 'kernel' | 'fuse-native';
  source?: string;
  option: readonly string[];
}

/** Reads the command line. Throws a usage error for what can't be meant. */
export async function readMountRequest(directory: string, given: GivenMount): Promise<MountRequest> {
  const { unknown, remount, ...options } = parseMountOptions(given.option);
  if (unknown.length > 0) {
    throw usageError(unknownOptions(unknown));
  }
  if (remount) {
    throw usageError('-o remount: only "mount -o remount DIR" does that');
  }
  if (given.mediator !== undefined && parseAddress(given.mediator) === undefined) {
    throw usageError(`${given.mediator}: a mediator is given as HOST:PORT`);
  }
  const config = await loadClientConfig(options.configFile ?? given.config, given);
  const mediator = given.mediator ?? config.mediator.address;
  const binding = chooseBinding(given.binding ?? config.mount.binding);
  const request: MountRequest = {
    config,
    directory: await mountPoint(directory),
    mediator,
    binding,
    readOnly: options.readOnly ?? config.mount.readOnly,
    allowOther: options.allowOther ?? chooseAllowOther(config.mount.allowOther),
    accessTimes: options.accessTimes ?? config.mount.accessTimes,
    attributeTimeoutMs:
      options.attributeTimeoutMs ?? chooseAttributeTimeoutMs(config.mount.attributeTimeoutMs, binding),
    source: given.source ?? mediator,
    kernelOptions: options.kernelOptions,
    given,
  };
  const folder = await stat(request.directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOTCONN')) {
      return undefined;
    }
    throw error;
  });
  if (folder?.isDirectory() === false) {
    throw new CommandFailure(`${request.directory}: is no folder`);
  }
  return request;
}

/** A client that is told where the mediator is needs no configuration file; a cluster with a secret does. */
async function loadClientConfig(file: string, { mediator, configIsOptional }: GivenMount): Promise<Config> {
  if (mediator !== undefined && configIsOptional && !existsSync(file)) {
    return parseConfig(configTemplate({ dataServers: 1, basePort: 1 }), resolve(file));
  }
  return loadConfig(file);
}

/** Mounts in a process of its own and returns when it is mounted. */
export async function mountInBackground(request: MountRequest): Promise<void> {
  const { directory, binding, source, given } = request;
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
  const environment = await bindingEnvironment(binding);
  const child = spawn(process.execPath, [...SERVING_OPTIONS, COMMAND, ...parameters], {
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
  const { config, directory, mediator, binding, readOnly, allowOther, attributeTimeoutMs, source, kernelOptions } =
    request;
  const { mountFileSystem } = await import('../fuse-client/mount.js');
  const runtime = nodeRuntime({ logLevel: config.logLevel, logName: 'mount' });
  const deadlineMs = config.deadlineMs * DEADLINES_PER_OPERATION;
  const remote = connectRemote(
    {
      name: 'mediator',
      address: mediator,
      deadlineMs,
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
    const options = {
      ...{ directory, binding, readOnly, allowOther, attributeTimeoutMs, maximumDirtyBytes, sessions },
      ...{ source, kernelOptions, accessTimes: request.accessTimes },
      lost: new RepeatedCalls(remote, deadlineMs, runtime.clock),
    };
    const mount = await mountFileSystem(files, options, runtime).catch((error: unknown) => {
      throw new CommandFailure(`${directory}: ${error instanceof Error ? error.message : String(error)}`);
    });
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
