// The metaservers of a cluster, as a mediator asks them: the one that leads.
import { LeaderRemote } from '../../protocol/following/leader-remote.js';
import type { ServerPlace } from '../../protocol/services/group.js';
import type { MetaserverService } from '../../protocol/services/metadata.js';
import { majorityOf } from '../../protocol/values/quorum.js';
import type { Remote, RemoteState } from '../../protocol/wire/client.js';
import type { Runtime } from '../../runtime/runtime.js';

export interface MetaserverPart {
  name: string;
  address: string;
  /** Calls must fail while it is not connected. */
  remote: Pick<Remote, 'onStateChange' | 'service' | 'state'>;
}

/** What a mediator needs of the metaservers of its cluster, however many there are. */
export interface Metaservers {
  readonly metadata: MetaserverService;
  /** The name of the one that calls go to; null when none leads. */
  readonly leader: string | null;
  onStateChange(listener: (state: RemoteState) => void): void;
  /** Servers that belong to the group may have been added while it runs. */
  learn(servers: readonly ServerPlace[]): void;
  close(): void;
}

export interface MetaserversParts {
  /** Those that are added later come behind. */
  metaservers: MetaserverPart[];
  /** To one that is added later; absent where none may be. */
  connect?: ((server: ServerPlace) => MetaserverPart) | undefined;
  /** Of calls that come without one. */
  deadlineMs: number;
  runtime: Runtime;
}

/** From the answer of another server to the next question, while the leader is silent. */
const RIVAL_PAUSE_MS = 30;

/** One that is alone is followed like several: others may be added while the mediator runs. */
export function followMetaservers({ metaservers, connect, deadlineMs, runtime }: MetaserversParts): Metaservers {
  if (metaservers.length === 0) throw new Error('a mediator needs a metaserver');
  const learn = (servers: readonly ServerPlace[]): void => {
    for (const server of servers) {
      if (connect === undefined || metaservers.some(({ name }) => name === server.name)) continue;
      const part = connect(server);
      metaservers.push(part);
      remote.add(part);
    }
  };
  const remote: LeaderRemote = new LeaderRemote({
    ...{ servers: metaservers, standing: 'group', deadlineMs, runtime },
    ...{ what: 'metadata', mustAnswer: majorityOf, lostBy: [] },
    ...{ rivalPauseMs: RIVAL_PAUSE_MS, learned: learn },
  });
  return {
    metadata: remote.service<MetaserverService>('metadata'),
    get leader() {
      return remote.leader;
    },
    learn,
    onStateChange: (listener) => remote.onStateChange(listener),
    close: () => remote.close(),
  };
}
