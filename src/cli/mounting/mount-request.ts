// What is to be mounted and how: the command line, with what it leaves out from
// the configuration.
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseAddress } from '../../config/values.js';
import { type Config, type MediatorConfig, parseConfig } from '../../config.js';
import { loadConfig } from '../config-file.js';
import { configTemplate } from '../config-template.js';
import { usageError } from '../failure.js';
import { chooseAllowOther, chooseAttributeTimeoutMs, chooseBinding } from './binding.js';
import { isBelow } from './mount-log.js';
import { optionsProblem, parseMountOptions } from './mount-options.js';
import { mountPoint, requireFolder } from './mounts.js';

export interface MountRequest {
  config: Config;
  directory: string;
  mediators: MediatorConfig[];
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
  /** The file that the log goes to. */
  log?: string;
}

/** Reads the command line. Throws a usage error for what can't be meant. */
export async function readMountRequest(directory: string, given: GivenMount): Promise<MountRequest> {
  const options = parseMountOptions(given.option);
  const problem = optionsProblem(options);
  if (problem !== undefined) {
    throw usageError(problem);
  }
  if (options.remount) {
    throw usageError('-o remount: only "mount -o remount DIR" does that');
  }
  const config = await loadClientConfig(options.configFile ?? given.config, given);
  const mediators = given.mediator === undefined ? config.mediators : namedMediators(given.mediator, config);
  const binding = chooseBinding(given.binding ?? config.mount.binding);
  const request: MountRequest = {
    config,
    directory: await mountPoint(directory),
    mediators,
    binding,
    readOnly: options.readOnly ?? config.mount.readOnly,
    allowOther: options.allowOther ?? chooseAllowOther(config.mount.allowOther),
    accessTimes: options.accessTimes ?? config.mount.accessTimes,
    attributeTimeoutMs:
      options.attributeTimeoutMs ?? chooseAttributeTimeoutMs(config.mount.attributeTimeoutMs, binding),
    source: given.source ?? mediators.map(({ address }) => address).join(','),
    kernelOptions: options.kernelOptions,
    given: given.log === undefined ? given : { ...given, log: resolve(given.log) },
  };
  await requireFolder(request.directory);
  const { log } = request.given;
  if (log !== undefined) {
    await requireFolder(dirname(log));
    if (await isBelow(request.directory, dirname(log))) {
      throw usageError(`--log ${log}: must not lie in the mount itself`);
    }
  }
  return request;
}

/** @param addresses separated by commas, when there are several */
function namedMediators(addresses: string, config: Config): MediatorConfig[] {
  const isLone = !addresses.includes(',');
  return addresses.split(',').map((address) => {
    if (parseAddress(address) === undefined) {
      throw usageError(`${address}: a mediator is given as HOST:PORT`);
    }
    const known = config.mediators.find((mediator) => mediator.address === address);
    return known ?? { name: isLone ? 'mediator' : address, address };
  });
}

/** A client that is told where the mediator is needs no configuration file; a cluster with a secret does. */
async function loadClientConfig(file: string, { mediator, configIsOptional }: GivenMount): Promise<Config> {
  if (mediator !== undefined && configIsOptional && !existsSync(file)) {
    return parseConfig(configTemplate({ dataServers: 1, basePort: 1 }), resolve(file));
  }
  return loadConfig(file);
}
