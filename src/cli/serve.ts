// The life of a process that serves: it opens its server, serves until it is
// told to stop, and ends. For `nmrfs serve` and for the supervisor's children.
import type { Config } from '../config.js';
import { nodeRuntime } from '../runtime/node/runtime.js';
import { compileEarly } from '../runtime/node/v8-options.js';
import type { Runtime } from '../runtime/runtime.js';
import { exitOnDefect } from './defects.js';
import { describeFailure, EXIT_FAILURE } from './failure.js';
import { MOUNT_NAME, openServer, type Served, type ServeRequest, selectServer } from './open-server.js';
import { makeRunDirectory, readRecord, untilEnded } from './supervisor/instance.js';
import { SupervisorLink } from './supervisor/link.js';

/** Opening may be about to finish, and is closed in order then; a mediator that waits for its metaserver is not. */
const EARLY_STOP_GRACE_MS = 1000;
/** How long a server without its supervisor waits for those that write to it: a mediator for the mount, a store for the mediators. */
const ORPHANED_WAIT_MS = { mediator: 15_000, meta: 20_000, data: 20_000 };

/** Serves until it is told to stop; resolves when it has. */
export async function serveHere(request: ServeRequest): Promise<void> {
  compileEarly();
  const link = new SupervisorLink();
  const stopRequested = link.stopRequested();
  const name = nameOf(request);
  const runtime = serverRuntime(request.config, name, link.supervised);
  exitOnDefect(runtime.log);
  const begin = async (): Promise<void> => {
    if ((await link.waitForGo()) === 'stop') {
      process.exit(0);
    }
  };
  const fail = (error: unknown): never => {
    const { text } = describeFailure(error);
    runtime.log.error('server.failed', { reason: text });
    link.tell({ kind: 'failed', message: text.split('\n')[0] ?? text });
    if (!link.supervised) {
      process.stderr.write(`nmrfs: ${name}: ${text}\n`);
    }
    process.exit(EXIT_FAILURE);
  };
  let served: Served;
  try {
    await makeRunDirectory(request.config);
    // One that is told to stop before it serves has nothing to close yet that a crash would not close as well.
    const stoppedEarly = stopRequested.then(async () => {
      await new Promise((resolve) => setTimeout(resolve, EARLY_STOP_GRACE_MS));
      return undefined;
    });
    const opened = await Promise.race([openServer(request, begin, runtime), stoppedEarly]);
    if (opened === undefined) {
      process.exit(0);
    }
    served = opened;
  } catch (error) {
    return fail(error);
  }
  link.tell({ kind: 'ready' });
  served.failed?.then(fail);
  const reason = await stopRequested;
  runtime.log.info('server.stopping', { reason });
  if (reason === 'orphaned') await untilClientsEnded(request);
  try {
    await served.close();
  } catch (error) {
    // Its disk takes nothing, say.
    runtime.log.error('server.not_closed', { reason: describeFailure(error).text });
    process.exit(EXIT_FAILURE);
  }
  runtime.log.info('server.stopped', {});
  process.exit(0);
}

/** Nobody stops the servers in order any more: each waits for those of its supervisor that may still have to write something to it. */
async function untilClientsEnded({ kind, config }: ServeRequest): Promise<void> {
  if (kind === 'mount') return;
  const isClient = ({ name }: { name: string }) =>
    kind === 'mediator' ? name === MOUNT_NAME : config.mediators.some((mediator) => mediator.name === name);
  const record = await readRecord(config);
  await untilEnded(record?.children.filter(isClient) ?? [], ORPHANED_WAIT_MS[kind]);
}

function nameOf({ kind, id, config }: ServeRequest): string {
  switch (kind) {
    case 'mediator':
      return selectServer(config.mediators, id).server.name;
    case 'mount':
      return MOUNT_NAME;
    case 'meta':
      return selectServer(config.metaservers, id).server.name;
    case 'data':
      return selectServer(config.dataservers, id).server.name;
  }
}

/** Supervised, the log goes to standard error, which the supervisor collects; else to standard output, in colours on a terminal. */
function serverRuntime({ logLevel }: Config, logName: string, supervised: boolean): Runtime {
  // Whoever read our output may go; that must not end a server.
  process.stdout.removeAllListeners('error');
  process.stdout.on('error', () => {});
  if (supervised || process.stdout.isTTY) {
    return nodeRuntime({ logLevel, logName });
  }
  return nodeRuntime({ logLevel, logName, destination: process.stdout });
}
