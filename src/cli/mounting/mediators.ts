// The way of a mount in a process of its own to the mediators: to the active one, or
// to the only one.
import type { Config, MediatorConfig } from '../../config.js';
import { followActiveMediator } from '../../protocol/following/active-mediator.js';
import { connectRemote, type Remote } from '../../protocol/wire/client.js';
import type { Runtime } from '../../runtime/runtime.js';
import { secretOption, unixPathOption } from '../paths.js';

/** A file operation may wait for the mediator's own deadlines several times over. */
const DEADLINES_PER_OPERATION = 10;

export interface Mediators {
  readonly remote: Pick<Remote, 'service' | 'onStateChange'>;
  /** Of a file operation. */
  readonly deadlineMs: number;
  close(): Promise<void>;
}

export function followMediators(config: Config, mediators: readonly MediatorConfig[], runtime: Runtime): Mediators {
  const deadlineMs = config.deadlineMs * DEADLINES_PER_OPERATION;
  const whileDown = mediators.length === 1 ? 'wait' : 'fail';
  const servers = mediators.map(({ name, address }) => {
    // The socket of this configuration's mediator, not of another one that was named.
    const isOurs = config.mediators.some((own) => own.name === name && own.address === address);
    const options = { name, address, deadlineMs, whileDown, ...secretOption(config) } as const;
    const remote = connectRemote({ ...options, ...(isOurs ? unixPathOption(config, name) : {}) }, runtime);
    return { name, remote };
  });
  const [first, ...more] = servers;
  if (first === undefined) throw new Error('a mount needs a mediator');
  const closeRemotes = async () => {
    await Promise.all(servers.map(({ remote }) => remote.close()));
  };
  if (more.length === 0) return { remote: first.remote, deadlineMs, close: closeRemotes };
  const active = followActiveMediator({ servers, deadlineMs, runtime });
  return {
    remote: active,
    deadlineMs,
    close: async () => {
      active.close();
      await closeRemotes();
    },
  };
}
