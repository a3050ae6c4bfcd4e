// A client of the simulated cluster: a mount without its kernel. It has a
// session, asks again for what is lost, says what it has open, and has locks.
// Its host has no disk worth speaking of; it may be stopped, and never fails.
import { retryLostRequests } from '../../src/fuse-client/session/lost-requests.js';
import { MountSession } from '../../src/fuse-client/session/mount-session.js';
import { OpenInodes } from '../../src/fuse-client/session/open-inodes.js';
import { followActiveMediator } from '../../src/protocol/following/active-mediator.js';
import type { FileService } from '../../src/protocol/services/files.js';
import type { CallOptions } from '../../src/protocol/services/service.js';
import type { FileLock, SessionService } from '../../src/protocol/services/sessions.js';
import { RequestIds } from '../../src/protocol/values/request-ids.js';
import { connectRemote, type Remote } from '../../src/protocol/wire/client.js';
import { RepeatedCalls } from '../../src/protocol/wire/repeated-calls.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import type { AnswerWatch } from './answer-watch.js';
import { Host, type World } from './world/host.js';

/** Clients wait longer than most of what the mediator waits for. */
const CLIENT_DEADLINE_MS = 4000;

type MediatorRemote = Pick<Remote, 'service' | 'onStateChange'>;

export interface ConnectedClient {
  readonly name: string;
  readonly host: Host;
  readonly files: FileService;
  readonly session: MountSession;
  /** Files that it has open. */
  readonly open: OpenInodes;
  /** Whether it has a connection to the active mediator. */
  readonly isConnected: boolean;
  /** Called when others have had these locks of it. */
  onLostLocks: (locks: readonly FileLock[]) => void;
}

/**
 * @param mediators the names of all
 * @param sabotage puts something broken in the place of its files
 */
export function connectClient(
  name: string,
  mediators: readonly string[],
  answers: AnswerWatch,
  world: World,
  sabotage: (files: FileService) => FileService = (files) => files,
  isAnsweredEarly = false,
): ConnectedClient {
  let client: ConnectedClient | undefined;
  const host: Host = new Host(name, world, {
    start: async (runtime) => {
      client = clientOf(host, followMediators(mediators, answers, runtime), runtime, sabotage, isAnsweredEarly);
    },
    ended: () => {},
  });
  host.start();
  if (client === undefined) throw new Error('the client did not start');
  return client;
}

/** As a mount does: see cli/mounting/mediators.ts. */
function followMediators(names: readonly string[], answers: AnswerWatch, runtime: Runtime): MediatorRemote {
  const deadlineMs = CLIENT_DEADLINE_MS;
  const whileDown = names.length === 1 ? 'wait' : 'fail';
  const servers = names.map((name) => {
    const options = { name, address: `${name}:1`, deadlineMs, whileDown } as const;
    return { name, remote: answers.over(name, connectRemote(options, runtime)) };
  });
  const [only] = servers;
  return servers.length === 1 && only !== undefined
    ? only.remote
    : followActiveMediator({ servers, deadlineMs, runtime });
}

function clientOf(
  host: Host,
  remote: MediatorRemote,
  runtime: Runtime,
  sabotage: (files: FileService) => FileService,
  isAnsweredEarly: boolean,
): ConnectedClient {
  let isConnected = false;
  remote.onStateChange((state) => {
    isConnected = state === 'up';
  });
  const lost = new RepeatedCalls(remote, CLIENT_DEADLINE_MS, runtime.clock);
  const open = new OpenInodes(true);
  const listener = {
    outdated: async () => {},
    missedChanges: async () => {},
    open: () => open.all,
    takeClosed: () => open.takeClosed(),
    lostLocks: (locks: readonly FileLock[]) => client.onLostLocks(locks),
  };
  const session = new MountSession(remote.service<SessionService>('sessions'), listener, runtime, lost);
  const begun = (limits: CallOptions) => session.begun(limits);
  const service = remote.service<FileService>('files');
  // A mount in the mediator's process does not live on to ask again.
  const files = isAnsweredEarly
    ? onceBegun(service, begun)
    : retryLostRequests(service, lost, new RequestIds(session.client), begun);
  const client: ConnectedClient = {
    ...{ name: host.name, host, files: sabotage(files), session, open },
    get isConnected() {
      return isConnected;
    },
    onLostLocks: () => {},
  };
  return client;
}

type Method = (request: object, options?: CallOptions) => Promise<object>;

/** Requests wait for the session, and are sent once. */
function onceBegun(files: FileService, begun: (limits: CallOptions) => Promise<CallOptions>): FileService {
  return new Proxy(files, {
    get(target, member) {
      const method = Reflect.get(target, member) as Method;
      const limits = { deadlineMs: CLIENT_DEADLINE_MS };
      return async (request: object) => method.call(target, request, await begun(limits));
    },
  });
}
