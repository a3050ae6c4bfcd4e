// What a cluster survives, in words: what its configuration promises, and what is so with the servers as they are now.
import type { ClusterStatus, MetaserverStatus } from '../protocol/services/admin.js';
import { metaserverMajority } from '../protocol/services/metaserver-majority.js';
import { majorityOf, type Quorums, survives } from '../protocol/values/quorum.js';
import { counted } from './words.js';

/** How several metaservers agree: `metadataProtocol` of the configuration. */
export type MetadataProtocol = 'raft' | 'viewstamped' | 'etcd';

/** What the configuration survives, in one sentence for people. */
export function describeSurvival(servers: number, quorums: Quorums): string {
  const { settled, afterWrite } = survives(servers, quorums);
  const down = servers - quorums.writeQuorum;
  return (
    `Reads survive ${counted(settled, 'bad or missing replica')} of ${servers} once all servers hold a block` +
    `${settled === afterWrite ? '' : `, ${afterWrite} right after a write`}; ` +
    (down === 0
      ? `writes need all ${counted(servers, 'server')}.`
      : `writes go on with up to ${counted(down, 'server')} down.`)
  );
}

/** What several metaservers survive, in one sentence for people; of a lone one there is nothing to say. */
export function describeMetadata(metaservers: number, protocol: MetadataProtocol = 'raft'): string | undefined {
  if (metaservers === 1) return undefined;
  if (protocol === 'etcd') {
    return `Names and attributes survive the loss of ${metaservers - 1} of ${counted(metaservers, 'metaserver')}, while etcd is there.`;
  }
  const lost = metaservers - majorityOf(metaservers);
  return lost === 0
    ? `Names and attributes need all ${counted(metaservers, 'metaserver')}.`
    : `Names and attributes survive the loss of ${lost} of ${counted(metaservers, 'metaserver')}.`;
}

/** What several mediators survive, in one sentence for people; of a lone one there is nothing to say. */
export function describeMediators(mediators: number): string | undefined {
  if (mediators === 1) return undefined;
  return `One of ${counted(mediators, 'mediator')} is active; another one takes over when it is lost.`;
}

/** What is true with the servers as they are; with all of them well, what the configuration promises. */
export function survivalText(answer: ClusterStatus, protocol: MetadataProtocol = 'raft'): string {
  const { dataservers, metaservers, readQuorum, writeQuorum, survivesNow } = answer;
  const serving = metaservers.find(({ isServing }) => isServing);
  const isWell = [...dataservers, ...metaservers].every(({ state, trouble }) => state === 'up' && trouble === null);
  if (isWell && serving !== undefined && dataservers.every(({ behind }) => behind === 0)) {
    return [describeSurvival(dataservers.length, answer), ...metadataText(metaservers, protocol)].join('\n');
  }
  return [`Now ${readsText()}; ${writesText()}.`, ...metadataText(metaservers, protocol)].join('\n');

  function readsText(): string {
    if (serving === undefined) return `nothing can be read: ${vacancyText(metaservers, protocol)}`;
    const up = dataservers.filter(({ state }) => state === 'up').length;
    if (!answer.readable) return `reads fail: ${readQuorum} data servers must agree, ${up} can vote`;
    const lag = `${survivesNow.complete} of ${dataservers.length} hold every block`;
    if (survivesNow.complete < readQuorum) return `reads of some blocks may fail: ${lag}, ${readQuorum} must agree`;
    const reads = survivesNow.reads;
    const count = reads === 0 ? 'no further' : `${reads} more`;
    return `reads survive ${count} bad or missing ${reads > 1 ? 'replicas' : 'replica'} (${lag}, ${readQuorum} must agree)`;
  }

  function writesText(): string {
    if (serving === undefined) return 'writes wait';
    if (serving.trouble !== null) return `writes are refused: ${serving.name} is ${serving.trouble}`;
    const taking = dataservers.filter(({ state, trouble }) => state !== 'down' && trouble === null).length;
    if (!answer.writable) return `writes are refused: ${writeQuorum} data servers must store them, ${taking} can`;
    const { writes } = survivesNow;
    if (writes === 0) return 'writes need every server that is up';
    return `writes go on with up to ${writes} more ${writes === 1 ? 'server' : 'servers'} down`;
  }
}

/** Why no metaserver serves. */
function vacancyText(metaservers: readonly MetaserverStatus[], protocol: MetadataProtocol): string {
  const troubled = metaservers.find(({ state, reason }) => state === 'up' && reason !== '');
  if (protocol === 'etcd' && troubled !== undefined) return `no metaserver leads: ${troubled.reason}`;
  if (metaservers.length === 1) return 'the metaserver does not answer';
  const { voters, up, needed } = metaserverMajority(metaservers);
  return up.length < needed && (protocol !== 'etcd' || up.length === 0)
    ? `${up.length} of ${voters} metaservers ${up.length === 1 ? 'is' : 'are'} there, ${needed} must be`
    : 'the metaservers have no leader just now';
}

/** How many more metaservers may go; nothing for a lone one, or where none serves. */
function metadataText(metaservers: readonly MetaserverStatus[], protocol: MetadataProtocol): string[] {
  if (metaservers.length === 1 || metaservers.every(({ isServing }) => !isServing)) return [];
  const majority = metaserverMajority(metaservers);
  const { voters, up } = majority;
  // The majority that counts is one of etcd's members.
  const needed = protocol === 'etcd' ? 1 : majority.needed;
  if (up.length === metaservers.length && voters === up.length)
    return [describeMetadata(voters, protocol) ?? []].flat();
  const more = Math.max(0, up.length - needed);
  const count = more === 0 ? 'no further metaserver' : `${more} more`;
  return [
    `Names and attributes survive the loss of ${count} (${up.length} of ${voters} are there, ${needed} must be).`,
  ];
}
