// `nmrfs status` for people: what is so now first, then server by server.
import { formatSize } from '../config/values.js';
import { type Config, describeMetadata, describeSurvival } from '../config.js';
import type {
  ClusterStatus,
  DataServerState,
  DataServerStatus,
  MediatorStatus,
  MetaserverStatus,
} from '../protocol/services/admin.js';
import { metaserverMajority } from '../protocol/services/metaserver-majority.js';
import { type Colour, paint, table } from './output.js';

const STATE_COLOURS: Readonly<Record<DataServerState, Colour>> = {
  up: 'green',
  down: 'red',
  blank: 'yellow',
  rebuilding: 'yellow',
};

const MEDIATOR_COLOURS: Readonly<Record<MediatorStatus['state'], Colour>> = {
  active: 'green',
  standby: 'green',
  down: 'red',
};

const ROLE_COLOURS: Readonly<Record<MetaserverStatus['role'], Colour>> = {
  leader: 'green',
  follower: 'green',
  learner: 'yellow',
  candidate: 'yellow',
  blank: 'yellow',
  crashed: 'red',
};

/** Heartbeats come more often. */
const WORTH_SAYING_MS = 1000;

type Protocol = Config['metadataProtocol'];

/** @param protocol by which the metaservers agree */
export function statusText(answer: ClusterStatus, protocol: Protocol = 'raft'): string {
  const yesOrNo = (fits: boolean): string => (fits ? paint('green', 'yes') : paint('red', 'no'));
  const columns = [
    { title: 'SERVER' },
    { title: 'ADDRESS' },
    { title: 'STATE' },
    { title: 'BLOCKS', right: true },
    { title: 'SIZE', right: true },
    { title: 'BEHIND', right: true },
    { title: 'ROOM', right: true },
    { title: 'DISSENTS', right: true },
    { title: 'REPAIRS', right: true },
    { title: 'REBUILT', right: true },
  ];
  const servers = table(columns, [
    ...answer.mediators.map(({ name, address, state }) => [
      name,
      address,
      paint(MEDIATOR_COLOURS[state], answer.mediators.length === 1 && state === 'active' ? 'up' : state),
    ]),
    ...answer.metaservers.map((server) => [
      server.name,
      server.address,
      answer.metaservers.length === 1 ? stateText(server) : roleText(server),
      '',
      '',
      answer.metaservers.length === 1 ? '' : lagText(server),
      roomText(server),
      '',
      '',
      progressText(server.snapshot),
    ]),
    ...answer.dataservers.map((server) => [
      server.name,
      server.address,
      stateText(server),
      String(server.blocks),
      formatSize(server.bytes),
      behindText(server),
      roomText(server),
      String(server.dissents),
      String(server.repairs),
      progressText(server.rebuild),
    ]),
  ]);
  const head =
    `N ${answer.dataservers.length}, Qr ${answer.readQuorum}, Qw ${answer.writeQuorum}   ` +
    `readable: ${yesOrNo(answer.readable)}   writable: ${yesOrNo(answer.writable)}   ` +
    `audit: ${answer.audit}   onWriteQuorumLost: ${answer.onWriteQuorumLost}`;
  const reasons = [...answer.metaservers, ...answer.dataservers]
    .filter(({ reason }) => reason !== '')
    .map(({ name, reason }) => `${name}: ${reason}`);
  return [head, survivalText(answer, protocol), '', servers, ...(reasons.length > 0 ? ['', ...reasons] : [])].join(
    '\n',
  );
}

/** What is true with the servers as they are; with all of them well, what the configuration promises. */
export function survivalText(answer: ClusterStatus, protocol: Protocol = 'raft'): string {
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
function vacancyText(metaservers: readonly MetaserverStatus[], protocol: Protocol): string {
  const troubled = metaservers.find(({ state, reason }) => state === 'up' && reason !== '');
  if (protocol === 'etcd' && troubled !== undefined) return `no metaserver leads: ${troubled.reason}`;
  if (metaservers.length === 1) return 'the metaserver does not answer';
  const { voters, up, needed } = metaserverMajority(metaservers);
  return up.length < needed && (protocol !== 'etcd' || up.length === 0)
    ? `${up.length} of ${voters} metaservers ${up.length === 1 ? 'is' : 'are'} there, ${needed} must be`
    : 'the metaservers have no leader just now';
}

/** How many more metaservers may go; nothing for a lone one, or where none serves. */
function metadataText(metaservers: readonly MetaserverStatus[], protocol: Protocol): string[] {
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

function roleText({ role, state, trouble }: MetaserverStatus): string {
  if (state === 'down') return paint('red', 'down');
  return trouble === null ? paint(ROLE_COLOURS[role], role) : paint('red', `${role}, ${trouble}`);
}

/** Entries that are committed and not in its rows; how long it may have lacked them, where that is more than a moment. */
function lagText({ lag }: MetaserverStatus): string {
  if (lag === null) return '?';
  if (lag.entries === 0 && lag.ms < WORTH_SAYING_MS) return '0';
  const since = lag.ms < WORTH_SAYING_MS ? '' : ` (${(lag.ms / 1000).toFixed(0)} s)`;
  return paint('yellow', `${lag.entries}${since}`);
}

function stateText({ state, trouble }: Pick<DataServerStatus, 'state' | 'trouble'>): string {
  return trouble === null ? paint(STATE_COLOURS[state], state) : paint('red', `${state}, ${trouble}`);
}

function progressText(progress: { done: number; total: number } | undefined): string {
  return progress === undefined ? '' : `${progress.done} of ${progress.total}`;
}

function behindText({ behind }: DataServerStatus): string {
  if (behind === null) return '?';
  return behind === 0 ? '0' : paint('yellow', String(behind));
}

function roomText({ freeBytes, totalBytes }: MetaserverStatus | DataServerStatus): string {
  return totalBytes === 0 ? '' : formatSize(freeBytes);
}
