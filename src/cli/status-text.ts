// `nmrfs status` for people: what is so now first, then server by server.
import { formatSize } from '../config/values.js';
import { describeSurvival } from '../config.js';
import type { ClusterStatus, DataServerState, DataServerStatus, MetaserverStatus } from '../protocol/services/admin.js';
import { type Colour, paint, table } from './output.js';

const STATE_COLOURS: Readonly<Record<DataServerState, Colour>> = {
  up: 'green',
  down: 'red',
  blank: 'yellow',
  rebuilding: 'yellow',
};

export function statusText(answer: ClusterStatus): string {
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
    ['mediator', answer.mediator.address, paint('green', 'up')],
    ...answer.metaservers.map((server) => [
      server.name,
      server.address,
      stateText(server),
      '',
      '',
      '',
      roomText(server),
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
      server.rebuild === undefined ? '' : `${server.rebuild.done} of ${server.rebuild.total}`,
    ]),
  ]);
  const head =
    `N ${answer.dataservers.length}, Qr ${answer.readQuorum}, Qw ${answer.writeQuorum}   ` +
    `readable: ${yesOrNo(answer.readable)}   writable: ${yesOrNo(answer.writable)}   ` +
    `audit: ${answer.audit}   onWriteQuorumLost: ${answer.onWriteQuorumLost}`;
  const reasons = [...answer.metaservers, ...answer.dataservers]
    .filter(({ reason }) => reason !== '')
    .map(({ name, reason }) => `${name}: ${reason}`);
  return [head, survivalText(answer), '', servers, ...(reasons.length > 0 ? ['', ...reasons] : [])].join('\n');
}

/** What is true with the servers as they are; with all of them well, what the configuration promises. */
export function survivalText(answer: ClusterStatus): string {
  const { dataservers, metaservers, readQuorum, writeQuorum, survivesNow } = answer;
  const isWell = [...dataservers, ...metaservers].every(({ state, trouble }) => state === 'up' && trouble === null);
  if (isWell && dataservers.every(({ behind }) => behind === 0)) return describeSurvival(dataservers.length, answer);
  return `Now ${readsText()}; ${writesText()}.`;

  function readsText(): string {
    if (metaservers.every(({ state }) => state !== 'up')) return 'nothing can be read: the metaserver does not answer';
    const up = dataservers.filter(({ state }) => state === 'up').length;
    if (!answer.readable) return `reads fail: ${readQuorum} data servers must agree, ${up} can vote`;
    const lag = `${survivesNow.complete} of ${dataservers.length} hold every block`;
    if (survivesNow.complete < readQuorum) return `reads of some blocks may fail: ${lag}, ${readQuorum} must agree`;
    const reads = survivesNow.reads;
    const count = reads === 0 ? 'no further' : `${reads} more`;
    return `reads survive ${count} bad or missing ${reads > 1 ? 'replicas' : 'replica'} (${lag}, ${readQuorum} must agree)`;
  }

  function writesText(): string {
    const blocked = metaservers.find(({ state, trouble }) => state !== 'up' || trouble !== null);
    if (blocked !== undefined) return `writes are refused: ${blocked.name} is ${blocked.trouble ?? blocked.state}`;
    const taking = dataservers.filter(({ state, trouble }) => state !== 'down' && trouble === null).length;
    if (!answer.writable) return `writes are refused: ${writeQuorum} data servers must store them, ${taking} can`;
    const { writes } = survivesNow;
    if (writes === 0) return 'writes need every server that is up';
    return `writes go on with up to ${writes} more ${writes === 1 ? 'server' : 'servers'} down`;
  }
}

function stateText({ state, trouble }: Pick<DataServerStatus, 'state' | 'trouble'>): string {
  return trouble === null ? paint(STATE_COLOURS[state], state) : paint('red', `${state}, ${trouble}`);
}

function behindText({ behind }: DataServerStatus): string {
  if (behind === null) return '?';
  return behind === 0 ? '0' : paint('yellow', String(behind));
}

function roomText({ freeBytes, totalBytes }: MetaserverStatus | DataServerStatus): string {
  return totalBytes === 0 ? '' : formatSize(freeBytes);
}
