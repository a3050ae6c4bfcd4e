// A client of the simulated cluster: a mount without its kernel. It has a
// session, asks again for what is lost, says what it has open, and has locks.
// Its host has no disk worth speaking of; it may be stopped, and never fails.
import { retryLostRequests } from '../../src/fuse-client/session/lost-requests.js';
import { MountSession } from '../../src/fuse-client/session/mount-session.js';
import { OpenInodes } from '../../src/fuse-client/session/open-inodes.js';
import type { FileService } from '../../src/protocol/services/files.js';
import type { FileLock, SessionService } from '../../src/protocol/services/sessions.js';
import { RequestIds } from '../../src/protocol/values/request-ids.js';
import { connectRemote, type Remote } from '../../src/protocol/wire/client.js';
import { RepeatedCalls } from '../../src/protocol/wire/repeated-calls.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { Host, type World } from './world/host.js';

/** Clients wait longer than most of what the mediator waits for. */
const CLIENT_DEADLINE_MS = 4000;

export interface ConnectedClient {
  readonly name: string;
  readonly host: Host;
  readonly files: FileService;
  readonly session: MountSession;
  /** Files that it has open. */
  readonly open: OpenInodes;
  readonly remote: Remote;
  /** Called when others have had these locks of it. */
  onLostLocks: (locks: readonly FileLock[]) => void;
}

/** @param sabotage puts something broken in the place of its files */
export function connectClient(
  name: string,
  world: World,
  sabotage: (files: FileService) => FileService = (files) => files,
): ConnectedClient {
  let client: ConnectedClient | undefined;
  const host: Host = new Host(name, world, {
    start: async (runtime) => {
      client = clientOf(name, host, runtime, sabotage);
    },
    ended: () => {},
  });
  host.start();
  if (client === undefined) throw new Error('the client did not start');
  return client;
}

function clientOf(
  name: string,
  host: Host,
  runtime: Runtime,
  sabotage: (files: FileService) => FileService,
): ConnectedClient {
  const remote = connectRemote(
    {
      name: 'mediator',
      address: 'mediator:1',
      deadlineMs: CLIENT_DEADLINE_MS,
      whileDown: 'wait',
      // A mediator that lost its power says nothing of it.
      closeOnDeadline: true,
    },
    runtime,
  );
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
  const ids = new RequestIds(session.client);
  const files = retryLostRequests(remote.service<FileService>('files'), lost, ids, (limits) => session.begun(limits));
  const client: ConnectedClient = { name, host, files: sabotage(files), session, open, remote, onLostLocks: () => {} };
  return client;
}
