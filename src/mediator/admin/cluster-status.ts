// What `status` says about a cluster: what it survives when all servers are well,
// and what it survives now. Pure functions of what the servers have answered.
import type { ClusterStatus, DataServerStatus, MetaserverStatus, Survival } from '../../protocol/services/admin.js';
import { type Quorums, survives } from '../../protocol/values/quorum.js';
import type { Replica } from '../replicas/replica.js';

/** Versions that a server lacks are counted up to this number: more makes no difference to the reader. */
export const BEHIND_LIMIT = 8192;

type KnownReplica = Pick<
  Replica,
  'name' | 'address' | 'state' | 'dissents' | 'repairs' | 'rebuild' | 'store' | 'refusal'
>;

/** @param missed how many versions the server lacks; null when the metaserver has not answered */
export function dataServerStatus(replica: KnownReplica, missed: number | null): DataServerStatus {
  const { name, address, state, dissents, repairs, rebuild, store, refusal } = replica;
  const toRebuild = rebuild === null ? 0 : rebuild.total - rebuild.done;
  const status: DataServerStatus = {
    name,
    address,
    state,
    blocks: store?.blocks ?? 0,
    bytes: store?.bytes ?? 0,
    dissents,
    repairs,
    trouble: state === 'down' ? null : (store?.trouble ?? null),
    reason: state === 'down' ? (refusal ?? 'it does not answer') : (store?.reason ?? ''),
    behind: missed === null ? null : missed + toRebuild,
    freeBytes: store?.freeBytes ?? 0,
    totalBytes: store?.totalBytes ?? 0,
  };
  return rebuild === null ? status : { ...status, rebuild };
}

/** Whether there are quorums for reads and writes, and how many more servers may be lost. */
export function survivalNow(
  quorums: Quorums,
  metaservers: readonly MetaserverStatus[],
  dataservers: readonly DataServerStatus[],
): Pick<ClusterStatus, 'readable' | 'writable' | 'survives' | 'survivesNow'> {
  const { readQuorum, writeQuorum } = quorums;
  const complete = votingNow(dataservers).filter(({ behind }) => behind === 0);
  const taking = takingNow(dataservers);
  const hasMetadata = metaservers.some(({ isServing }) => isServing);
  const takesMetadata = metaservers.some(({ isServing, trouble }) => isServing && trouble === null);
  const readable = hasMetadata && votingNow(dataservers).length >= readQuorum;
  const writable = takesMetadata && taking.length >= writeQuorum;
  const survivesNow: Survival = {
    complete: complete.length,
    reads: readable ? Math.max(0, complete.length - readQuorum) : 0,
    writes: writable ? taking.length - writeQuorum : 0,
  };
  return { readable, writable, survives: survives(dataservers.length, quorums), survivesNow };
}

/** Data servers whose vote counts on every block. */
export function votingNow<T extends Pick<DataServerStatus, 'state'>>(dataservers: readonly T[]): T[] {
  return dataservers.filter(({ state }) => state === 'up');
}

/** Data servers that store what is written. */
export function takingNow<T extends Pick<DataServerStatus, 'state' | 'trouble'>>(dataservers: readonly T[]): T[] {
  return dataservers.filter(({ state, trouble }) => state !== 'down' && trouble === null);
}
