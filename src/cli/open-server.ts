// Opens one server of the configuration: the mediator (with a mount, if asked
// for), the metaserver or a data server.
import type { Config, MediatorConfig, ServerConfig } from '../config.js';
import type { ServerSupervisor } from '../mediator/mediator.js';
import type { MediatorSettings } from '../mediator/settings.js';
import { asPeer } from '../protocol/services/service.js';
import { connectRemote } from '../protocol/wire/client.js';
import { errorFields, messageOf } from '../runtime/caught-errors.js';
import type { Runtime } from '../runtime/runtime.js';
import { loadConfig } from './config-file.js';
import { LogFolder } from './event-logs.js';
import { CommandFailure, usageError } from './failure.js';
import { claimStore, wipeClaimed } from './locks/claim-store.js';
import { configuredMount, type MountPlace } from './mounting/configured-mount.js';
import { loadPage } from './page-files.js';
import { logDirectory, secretOption, unixPathOption } from './paths.js';
import type { ControlService } from './supervisor/control.js';
import { readRecord } from './supervisor/instance.js';

/** A new process needs its time to load and to open its store. */
const RESTART_DEADLINE_MS = 50_000;

/** mount: of `nmrfs up`, where there are several mediators. */
export type ServerKind = 'mediator' | 'meta' | 'data' | 'mount';

/** Of the process that mounts for several mediators. */
export const MOUNT_NAME = 'mount';

export interface ServeRequest {
  kind: ServerKind;
  /** The server's name, or its number among those of its kind; may be left out where there is only one. */
  id: string | undefined;
  config: Config;
  /** Data servers, and metaservers where there are several: wipe the store first. */
  blank: boolean;
  /** Mediator: mount here, in the same process. Where there are several, only for the kind mount. */
  mount?: MountPlace;
}

export interface Served {
  /** Why it can't go on, where that is known only after it began to serve. */
  readonly failed?: Promise<unknown>;
  /** Resolves when nothing is left to do; the process may end then. */
  close(): Promise<void>;
}

/** The name and settings of the server that was asked for. Throws a usage error when there is none or no single one. */
export function selectServer<T extends MediatorConfig>(
  servers: readonly T[],
  id: string | undefined,
): { server: T; number: number } {
  const index =
    id === undefined && servers.length === 1
      ? 0
      : servers.findIndex((server, position) => server.name === id || String(position + 1) === id);
  const server = servers[index];
  if (server === undefined) {
    const names = servers.map(({ name }) => name).join(', ');
    throw usageError(
      id === undefined
        ? `which one? --id takes one of ${names}`
        : `${id}: there is no such server; --id takes one of ${names}`,
    );
  }
  return { server, number: index + 1 };
}

/** Loads the server's code, waits for `begin`, and serves. */
export async function openServer(request: ServeRequest, begin: () => Promise<void>, runtime: Runtime): Promise<Served> {
  switch (request.kind) {
    case 'mediator':
      return openMediatorProcess(request, begin, runtime);
    case 'mount': {
      const { openMount } = await import('./mounting/supervised-mount.js');
      if (request.mount === undefined) throw usageError('serve mount takes --mount DIR');
      return openMount(request.config, request.mount, begin, runtime);
    }
    case 'meta': {
      const { runMetaserver } = await import('../metaserver/main.js');
      const { server } = selectServer(request.config.metaservers, request.id);
      if (request.blank && request.config.metaservers.length === 1) {
        throw usageError(`${server.name} is the only metaserver: with its store all names would be lost`);
      }
      await begin();
      await claimStore(server);
      if (request.blank) {
        await wipeClaimed(server);
        runtime.log.info('store.wiped', { directory: server.directory });
      }
      // Whoever starts a new cluster can write to it: an ordinary user's would be of no use to them otherwise.
      const rootOwner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
      const options = { ...common(request.config, server), rootOwner, group: groupOf(request.config) };
      const { close, failed } = await runMetaserver(options, runtime);
      return { close, failed };
    }
    case 'data': {
      const { runDataserver } = await import('../dataserver/main.js');
      const { server, number } = selectServer(request.config.dataservers, request.id);
      await begin();
      await claimStore(server);
      const options = {
        ...common(request.config, server),
        number,
        testHooks: request.config.testHooks,
        blank: request.blank,
      };
      const { close } = await runDataserver(options, runtime);
      return { close };
    }
  }
}

/** All metaservers of the cluster, and how they agree. */
function groupOf(config: Config) {
  const { cluster, metaservers, metadataProtocol: protocol, etcd } = config;
  const members = metaservers.map((server) => peerOf(config, server));
  if (protocol !== 'etcd') return { cluster, protocol, members };
  if (etcd === undefined) throw usageError('metadataProtocol: etcd needs the key etcd');
  return { cluster, protocol, members, etcd };
}

function peerOf(config: Config, { name, address }: MediatorConfig) {
  return { name, address, ...unixPathOption(config, name) };
}

function common(config: Config, server: ServerConfig) {
  const { name, address, directory } = server;
  return { name, address, directory, ...unixPathOption(config, name), ...secretOption(config) };
}

async function openMediatorProcess(
  request: ServeRequest,
  begin: () => Promise<void>,
  runtime: Runtime,
): Promise<Served> {
  const { config } = request;
  const { server: own } = selectServer(config.mediators, request.id);
  const others = config.mediators.filter((mediator) => mediator !== own);
  if (others.length > 0 && request.mount !== undefined) {
    throw usageError('serve mediator --mount: with several mediators a mount is a process of its own, "nmrfs mount"');
  }
  const { runMediator } = await import('../mediator/main.js');
  const mounting = request.mount === undefined ? undefined : await import('../fuse-client/mount.js');
  await begin();
  const peer = (server: MediatorConfig) => peerOf(config, server);
  const { blockSizeBytes, testHooks, deadlineMs } = config;
  const supervisor = process.send !== undefined ? await supervisorOf(config, runtime) : undefined;
  const options = {
    ...{ name: own.name, address: own.address },
    maintenance: true,
    ...settingsIn(config),
    ...{ blockSizeBytes, testHooks, deadlineMs },
    metaservers: config.metaservers.map(peer),
    dataservers: config.dataservers.map(peer),
    ...unixPathOption(config, own.name),
    ...secretOption(config),
    ...(supervisor === undefined ? {} : { supervisor }),
    page: await loadPage(),
    metadataProtocol: config.metadataProtocol,
    logs: logsOf(config),
  };
  if (others.length > 0) {
    const { OneOfSeveral } = await import('../mediator/succession/one-of-several.js');
    const member = new OneOfSeveral(
      { ...options, others: others.map(peer), settings: () => latestSettings(config, runtime) },
      runtime,
    );
    await member.start();
    return member;
  }
  const running = await runMediator(options, runtime);
  try {
    const mount =
      mounting === undefined || request.mount === undefined
        ? undefined
        : await mountHere(mounting.mountFileSystem, request.mount);
    return {
      async close() {
        // What programs have written goes to the data servers first.
        await mount?.unmount();
        await running.close();
      },
    };
  } catch (error) {
    await running.close();
    throw error;
  }

  async function mountHere(
    mountFileSystem: typeof import('../fuse-client/mount.js').mountFileSystem,
    place: MountPlace,
  ) {
    const { directory } = place;
    const { clearDeadMount } = await import('./mounting/mounts.js');
    if (await clearDeadMount(directory)) {
      runtime.log.warn('mount.dead_cleared', { directory });
    }
    // In this process nothing but this object tells the mount from other callers.
    const peer = {};
    const options = { ...configuredMount(config, place), sessions: asPeer(running.mediator.sessions, peer) };
    const files = asPeer(running.mediator.ownFiles, peer);
    const mount = await mountFileSystem(files, options, runtime).catch((error: unknown) => {
      throw new CommandFailure(`${directory}: ${messageOf(error)}`);
    });
    running.mediator.addKept('mount', () => mount.kept());
    mount.ended.catch((error: unknown) => runtime.log.error('mount.broken', { directory, ...errorFields(error) }));
    return mount;
  }
}

/** As the configuration file says by now: it is kept up to date while another mediator is active. */
async function latestSettings(config: Config, { log }: Runtime): Promise<MediatorSettings> {
  const latest = await loadConfig(config.file).catch((error: unknown) => {
    log.warn('config.not_read', errorFields(error));
    return config;
  });
  return settingsIn(latest);
}

function settingsIn({ readQuorum, writeQuorum, audit, onWriteQuorumLost }: Config): MediatorSettings {
  return { readQuorum, writeQuorum, audit, onWriteQuorumLost };
}

/** The logs of all servers that have theirs on this machine. */
function logsOf(config: Config): LogFolder {
  const { mediators, metaservers, dataservers } = config;
  const servers = [...mediators, ...metaservers, ...dataservers].map(({ name }) => name);
  return new LogFolder(logDirectory(config), servers);
}

/** The way to ask the supervisor that started this process. */
async function supervisorOf(config: Config, runtime: Runtime): Promise<ServerSupervisor | undefined> {
  const record = await readRecord(config);
  if (record === undefined) {
    return undefined;
  }
  const { address, secret } = record;
  const remote = connectRemote(
    { name: 'supervisor', address, secret, deadlineMs: RESTART_DEADLINE_MS, whileDown: 'wait' },
    runtime,
  );
  const control = remote.service<ControlService>('control');
  return {
    async restart(name, blank) {
      await control.restart({ name, blank });
    },
    async terminate(name) {
      await control.terminate({ name });
    },
    async hold(name, isHeld) {
      await control.hold({ name, isHeld });
    },
  };
}
