// A metaserver on its own address: the namespace in LMDB, served to mediators
// as `metadata`, and to people by XML-RPC.
import { serve } from '../protocol/http/server.js';
import { nodeHttpClient, type TlsFiles } from '../runtime/node/http-client.js';
import type { Runtime } from '../runtime/runtime.js';
import { EtcdMetaserver, type EtcdMetaserverOptions } from './etcd/etcd-metaserver.js';
import { GroupMetaserver, type GroupMetaserverOptions, type GroupOptions } from './group/group-metaserver.js';
import { checkedRows } from './storage/checked-rows.js';
import { lmdbEngine } from './storage/lmdb-engine.js';

export interface RunMetaserverOptions extends Omit<GroupMetaserverOptions, 'group'> {
  /** HOST:PORT; port 0 takes a free one. */
  address: string;
  /** The same services on a Unix-domain socket, besides. */
  unixPath?: string;
  /** A server that is alone when absent. */
  group?: GroupOptions | EtcdGroupOptions;
}

/** All configured metaservers share a log in etcd. */
export interface EtcdGroupOptions extends Pick<EtcdMetaserverOptions, 'cluster' | 'members'> {
  protocol: 'etcd';
  etcd: EtcdMetaserverOptions['etcd'] & { readonly tls?: TlsFiles };
}

export interface RunningMetaserver {
  /** With the real port. */
  readonly address: string;
  /** Why one of several can't take part, once it serves; never settles while it can. */
  readonly failed: Promise<unknown>;
  /** Stops serving, then makes everything that was answered durable. */
  close(): Promise<void>;
}

/** Resolves when it serves; one that is alone has opened the namespace then. */
export async function runMetaserver(options: RunMetaserverOptions, runtime: Runtime): Promise<RunningMetaserver> {
  const { name, address, unixPath, secret } = options;
  const group = options.group ?? { cluster: '', protocol: 'raft', members: [{ name, address }] };
  const metaserver = await open(options, group, runtime);
  const { host } = metaserver;
  try {
    // With etcd it is not for this server alone when it can be used.
    const isAlone = group.members.length === 1 && group.protocol !== 'etcd';
    if (isAlone) await metaserver.start();
    const server = await serve(
      {
        address,
        services: { metadata: host.metadata, group: metaserver.group },
        xmlRpc: host.xmlRpc,
        metrics: () => host.metrics(),
        health: () => ({ healthy: true }),
        ...(unixPath === undefined ? {} : { unixPath }),
        ...(secret === undefined ? {} : { secret }),
      },
      runtime,
    );
    runtime.log.info('server.ready', { address: server.address });
    // The others must reach this server before it can find its group.
    const failed = new Promise<unknown>((resolve) => {
      if (!isAlone) metaserver.start().catch(resolve);
    });
    return {
      ...{ address: server.address, failed },
      async close() {
        if (isAlone) await server.close();
        // Another leads from now on, before the connections to this one end.
        await metaserver.close();
        await server.close();
      },
    };
  } catch (error) {
    await metaserver.close();
    throw error;
  }
}

function open(
  options: RunMetaserverOptions,
  group: GroupOptions | EtcdGroupOptions,
  runtime: Runtime,
): Promise<GroupMetaserver | EtcdMetaserver> {
  if (group.protocol !== 'etcd') return GroupMetaserver.open({ ...options, group }, checkedRows(lmdbEngine), runtime);
  const { cluster, members, etcd } = group;
  return EtcdMetaserver.open(
    { ...options, cluster, members, etcd, http: nodeHttpClient(etcd.tls) },
    checkedRows(lmdbEngine),
    runtime,
  );
}
