// One mediator's host: the only one, or one of several.
import { runMediator } from '../../src/mediator/main.js';
import type { Mediator } from '../../src/mediator/mediator.js';
import { OneOfSeveral } from '../../src/mediator/succession/one-of-several.js';
import type { DecidedVote } from '../../src/mediator/voting/decided-vote.js';
import type { ClusterShape, Sabotage } from './cluster-shape.js';
import { Host, type World } from './world/host.js';

/** A server that takes longer is down, milliseconds. */
const DEADLINE_MS = 400;

interface Running {
  readonly active: Mediator | null;
  close(): Promise<void>;
}

/** What it is told of all servers. */
export interface MediatorSurroundings {
  /** Of all mediators. */
  mediators: readonly string[];
  metaservers: readonly string[];
  dataservers: readonly string[];
}

export class MediatorHost {
  readonly host: Host;
  #running: Running | null = null;

  constructor(name: string, shape: ClusterShape, world: World, sabotage: Sabotage, around: MediatorSurroundings) {
    const { blockSizeBytes, writeQuorum, audit } = shape;
    const readQuorum = sabotage.readQuorum ?? shape.readQuorum;
    const settings = { readQuorum, writeQuorum, audit, onWriteQuorumLost: 'fail' } as const;
    const { recorder } = world;
    const options = {
      ...{ name, address: `${name}:1`, blockSizeBytes, testHooks: true, deadlineMs: DEADLINE_MS, maintenance: true },
      ...settings,
      answersEarly: shape.answersEarly ? ('all' as const) : ('own' as const),
      ...(recorder === undefined ? {} : { onVote: (vote: DecidedVote) => recorder.vote(name, vote) }),
      metaservers: peers(around.metaservers),
      dataservers: peers(around.dataservers),
    } as const;
    const others = peers(around.mediators.filter((other) => other !== name));
    this.host = new Host(name, world, {
      start: async (given) => {
        const runtime = sabotage.mediator?.(given) ?? given;
        if (others.length === 0) {
          const { mediator, close } = await runMediator(options, runtime);
          this.#running = { active: mediator, close };
          return;
        }
        const several = new OneOfSeveral({ ...options, others, settings: async () => settings }, runtime);
        await several.start();
        this.#running = several;
      },
      ended: () => {
        this.#running = null;
      },
    });
  }

  /** For looking at from outside; null unless it takes itself for the active one. */
  get active(): Mediator | null {
    return this.#running?.active ?? null;
  }

  /** Ends in order, as a process that is told to, and rejects or resolves when it has. */
  async close(): Promise<void> {
    await this.#running?.close();
  }
}

function peers(names: readonly string[]): { name: string; address: string }[] {
  return names.map((name) => ({ name, address: `${name}:1` }));
}
