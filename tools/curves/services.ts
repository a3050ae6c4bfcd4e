// The servers of a running cluster, asked directly over the services that the mediator asks them by, and in its name: filling a tree
// with a million files or blocks through a mount would take an hour.
import { loadConfig } from '../../src/cli/config-file.js';
import { unixPathOption } from '../../src/cli/paths.js';
import type { BlockService } from '../../src/protocol/services/blocks.js';
import type { CommandName, Commands, MetadataService } from '../../src/protocol/services/metadata.js';
import { connectRemote, type Remote } from '../../src/protocol/wire/client.js';
import { silentLog } from '../../src/runtime/log.js';
import { nodeRuntime } from '../../src/runtime/node/runtime.js';

/** A sync of all that was filled may take long on a slow disk. */
const DEADLINE_MS = 120_000;

export class Services {
  readonly #remotes: readonly Remote[];

  private constructor(
    readonly metadata: MetadataService,
    readonly dataservers: readonly BlockService[],
    remotes: readonly Remote[],
  ) {
    this.#remotes = remotes;
  }

  /** Of a cluster with one metaserver, whose mediator has begun. */
  static async connect(configFile: string): Promise<Services> {
    const config = await loadConfig(configFile);
    const runtime = { ...nodeRuntime({ logLevel: 'error', logName: 'curves' }), log: silentLog };
    const connect = ({ name, address }: { name: string; address: string }) =>
      connectRemote(
        { name, address, deadlineMs: DEADLINE_MS, whileDown: 'wait', ...unixPathOption(config, name) },
        runtime,
      );
    const [metaserver, ...others] = config.metaservers.map(connect);
    if (metaserver === undefined || others.length > 0) throw new Error('the cluster has several metaservers');
    const remotes = config.dataservers.map(connect);
    const services = new Services(
      metaserver.service<MetadataService>('metadata'),
      remotes.map((remote) => remote.service<BlockService>('blocks')),
      [metaserver, ...remotes],
    );
    await services.#introduce();
    return services;
  }

  execute<K extends CommandName>(name: K, request: Commands[K]['request']): Promise<Commands[K]['result']> {
    const timeNs = BigInt(Date.now()) * 1_000_000n;
    return this.metadata.execute({ name, timeNs, request, durable: false });
  }

  /** All that was filled is on the disks when it resolves. */
  async sync(): Promise<void> {
    await Promise.all([...this.dataservers.map((dataserver) => dataserver.flush({})), this.metadata.sync({})]);
  }

  async close(): Promise<void> {
    await Promise.all(this.#remotes.map((remote) => remote.close()));
  }

  /** As of the mediator's epoch: servers refuse calls of any other. */
  async #introduce(): Promise<void> {
    const { epoch } = await this.metadata.query({ name: 'mediator', request: {} });
    const { clusterId } = await this.metadata.query({ name: 'statistics', request: { epoch } });
    await Promise.all(this.dataservers.map((dataserver) => dataserver.status({ epoch, clusterId })));
  }
}
