// `nmrfs status` for people: what is so now first, then server by server.
import { formatSize } from '../config/values.js';
import { type MetadataProtocol, survivalText } from '../explain/survival.js';
import type {
  ClusterStatus,
  DataServerState,
  DataServerStatus,
  MediatorStatus,
  MetaserverStatus,
} from '../protocol/services/admin.js';
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

/** @param protocol by which the metaservers agree */
export function statusText(answer: ClusterStatus, protocol: MetadataProtocol = 'raft'): string {
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
