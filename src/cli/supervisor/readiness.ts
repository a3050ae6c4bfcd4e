// Whether a cluster that was just started can be used, and what is wrong with
// its servers, in words for people. Pure.
import type { ClusterStatus, DataServerStatus, MetaserverStatus } from '../../protocol/services/admin.js';
import { isCatchingUp } from '../../protocol/services/metaserver-majority.js';

/** A metaserver or a data server as its supervisor knows it. */
export interface ChildNews {
  name: string;
  /** Its process is there, has not failed, and does not serve yet: a store may take long to open. */
  isOpening: boolean;
  /** Why its process does not serve; empty when that has not happened or is not known. */
  failure: string;
}

/**
 * - ready: reads work
 * - joining: they do; metaservers may still become such that count for majorities
 * - opening: they don't, and may when the servers have opened their stores
 * - unreadable: they don't, and nothing that is known will change that
 * `problems` has a line for each server that is not as it should be, and for what does not work.
 */
export interface Readiness {
  verdict: 'ready' | 'joining' | 'opening' | 'unreadable';
  summary: string;
  problems: string[];
}

/** @param status what the mediator says; undefined when it did not answer */
export function judgeReadiness(status: ClusterStatus | undefined, children: readonly ChildNews[]): Readiness {
  if (status === undefined) {
    const summary = 'nothing can be read: the mediator does not answer';
    return { verdict: 'unreadable', summary, problems: children.flatMap((child) => problemOfChild(child)) };
  }
  const { dataservers, metaservers, onWriteQuorumLost } = status;
  const { readQuorum, writeQuorum } = status;
  const problems = [
    ...metaservers.flatMap((server) => problemOfMetaserver(server, childOf(children, server), metaservers.length)),
    ...dataservers.flatMap((server) => problemOf(server, childOf(children, server))),
  ];
  const hasMetadata = metaservers.some(({ isServing }) => isServing);
  const usable = dataservers.filter(holdsSomething).length;
  const opening = dataservers.filter((server) => childOf(children, server)?.isOpening === true).length;
  if (!hasMetadata || usable < readQuorum) {
    const summary = hasMetadata
      ? `nothing can be read: ${usable} of ${dataservers.length} data servers are usable, ${readQuorum} must agree (Qr)`
      : `nothing can be read: no metaserver ${metaservers.length === 1 ? 'is up' : 'leads'}`;
    return { verdict: hasMetadata && usable + opening >= readQuorum ? 'opening' : 'unreadable', summary, problems };
  }
  const complete = dataservers.filter(({ state }) => state === 'up').length;
  if (complete < readQuorum) {
    problems.push(`what fewer than ${readQuorum} data servers hold (Qr) can't be read: ${complete} are complete`);
  }
  const troubled = metaservers.find(({ isServing, trouble }) => isServing && trouble !== null);
  if (troubled !== undefined) problems.push(`writes are refused: ${troubled.name} is ${troubled.trouble}`);
  const taking = dataservers.filter(({ state, trouble }) => state !== 'down' && trouble === null).length;
  if (taking < writeQuorum) {
    const outcome = onWriteQuorumLost === 'fail' ? 'fail' : 'wait';
    problems.push(
      `writes ${outcome}: ${taking} of ${dataservers.length} data servers can be written to, ${writeQuorum} must be (Qw)`,
    );
  }
  const isJoining = metaservers.length > 1 && metaservers.some((server) => !server.isVoter || isCatchingUp(server));
  return { verdict: isJoining ? 'joining' : 'ready', summary: '', problems };
}

/** A replica that is being rebuilt votes on what it has; a blank one has nothing to vote on. */
function holdsSomething({ state, blocks }: DataServerStatus): boolean {
  return state === 'up' || (state !== 'down' && blocks > 0);
}

function childOf(children: readonly ChildNews[], { name }: { name: string }): ChildNews | undefined {
  return children.find((child) => child.name === name);
}

function problemOfMetaserver(server: MetaserverStatus, child: ChildNews | undefined, metaservers: number): string[] {
  const { name, state, role, isVoter, reason } = server;
  if (state === 'down') {
    const known = child === undefined || metaservers === 1 ? [] : problemOfChild(child);
    return known.length > 0 ? known : [`${name} is down`];
  }
  if (reason !== '') return [`${name}: ${reason}`];
  return metaservers === 1 || (isVoter && !isCatchingUp(server))
    ? []
    : [`${name} does not count for majorities yet (${role})`];
}

function problemOf({ name, state, reason }: DataServerStatus, child: ChildNews | undefined): string[] {
  switch (state) {
    case 'up':
      return reason === '' ? [] : [`${name}: ${reason}`];
    case 'blank':
    case 'rebuilding':
      return [`${name} is ${state}`];
    case 'down': {
      const known = child === undefined ? [] : problemOfChild(child);
      return known.length > 0 ? known : [`${name} is down: ${reason}`];
    }
  }
}

function problemOfChild({ name, isOpening, failure }: ChildNews): string[] {
  if (isOpening) {
    return [`${name} is still opening its store`];
  }
  return failure === '' ? [] : [`${name} is down: ${failure}`];
}
