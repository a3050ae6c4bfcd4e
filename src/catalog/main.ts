// A server of the catalog on its one address.
import { join } from 'node:path';
import { type RunningServer, serve } from '../protocol/http/server.js';
import type { PageFiles } from '../protocol/page/page-face.js';
import type { HttpRequest } from '../runtime/network.js';
import type { Runtime } from '../runtime/runtime.js';
import { type Blocks, MemoryBlocks } from './blocks/blocks.js';
import { DiskBlocks } from './blocks/disk-blocks.js';
import { VotedBlocks } from './blocks/voted-blocks.js';
import type { Catalog } from './catalog.js';
import type { CatalogConfig } from './configuration/catalog-config.js';
import { withFaults } from './faces/faults.js';
import { answerHttp } from './faces/http.js';
import { catalogPage } from './faces/page.js';
import { raftMethods } from './faces/raft.js';
import { surfStoreMethods } from './faces/surfstore.js';
import { tritonMethods } from './faces/triton.js';
import { type OpenCatalogOptions, openCatalog } from './open-catalog.js';
import { CallRecording } from './trace/call-recording.js';
import { Trace } from './trace/trace.js';
import { WatchedCalls } from './trace/watched-calls.js';

export interface RunningCatalog {
  /** With the real port. */
  readonly address: string;
  readonly catalog: Catalog;
  /** A client has asked it to stop; the promise never settles otherwise. */
  readonly stopRequested: Promise<void>;
  /** Resolves when nothing is left to do. */
  close(): Promise<void>;
}

export interface RunCatalogOptions extends OpenCatalogOptions {
  /** Has every message told. */
  readonly say?: (line: string) => void;
  /** Has every message recorded: takes the lines. */
  readonly record?: (text: string) => void;
  /** The files of the page; without them there is none. */
  readonly page?: PageFiles;
}

/** What a server that comes later is told. */
export type SharedConfiguration = Omit<CatalogConfig, 'secret'>;

/** Resolves when it can be reached; it finds its group after that. */
export async function runCatalog(options: RunCatalogOptions, runtime: Runtime): Promise<RunningCatalog> {
  const { config, server } = options;
  const catalog = await openCatalog(options, runtime);
  const blocks = blocksOf(options, runtime);
  let stop: () => void = () => {};
  const stopRequested = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const xmlRpc = withFaults({
    ...surfStoreMethods({ catalog, blocks, testHooks: config.testHooks }),
    ...tritonMethods(catalog, blocks),
    ...(catalog.raft === undefined ? {} : raftMethods(catalog.raft)),
  });
  const configuration = () => sharedConfiguration(config, catalog);
  const answering = (request: HttpRequest) => answerHttp({ catalog, configuration, stop }, request);
  const page = pageOf(options, catalog, runtime);
  const recording = recordingOf(options, catalog, runtime);
  const watches = [traceOf(options, catalog, runtime), recording].filter((watch) => watch !== undefined);
  const watched = watches.length === 0 ? undefined : new WatchedCalls(watches);
  const answered = watched?.http(answering) ?? answering;
  let listening: RunningServer;
  try {
    listening = await serve(
      {
        address: server.address,
        services: watched?.services(catalog.services) ?? catalog.services,
        xmlRpc: watched?.xmlRpc(xmlRpc) ?? xmlRpc,
        other: async (request) => (await page?.(request)) ?? answered(request),
        health: () => ({ healthy: !catalog.isCrashed }),
        ...(config.secret === undefined ? {} : { secret: config.secret }),
      },
      runtime,
    );
  } catch (error) {
    await catalog.close();
    await blocks.close();
    throw error;
  }
  runtime.log.info('server.ready', { address: listening.address, protocol: config.protocol });
  const starting = catalog.start();
  starting.catch((error: unknown) => runtime.log.error('catalog.not_started', { reason: String(error) }));
  return {
    address: listening.address,
    catalog,
    stopRequested,
    async close() {
      await catalog.close();
      await listening.close();
      await blocks.close();
      recording?.end();
    },
  };
}

function pageOf({ page: files, config, server }: RunCatalogOptions, catalog: Catalog, { clock }: Runtime) {
  if (files === undefined) return undefined;
  return catalogPage({ files, address: server.address, hasSecret: config.secret !== undefined }, catalog, clock);
}

function traceOf(
  { say, server: { name } }: RunCatalogOptions,
  catalog: Catalog,
  { clock }: Runtime,
): Trace | undefined {
  return say === undefined ? undefined : new Trace({ say, name, clock, facts: () => catalog.facts });
}

function recordingOf(
  { record, server: { name }, config }: RunCatalogOptions,
  catalog: Catalog,
  { clock }: Runtime,
): CallRecording | undefined {
  if (record === undefined) return undefined;
  const servers = config.servers.map((each) => each.name);
  return new CallRecording({
    ...{ write: record, name, servers, protocol: config.protocol, clock },
    facts: () => catalog.facts,
  });
}

/** Of all servers alike, with where they are by now. */
async function sharedConfiguration(config: CatalogConfig, catalog: Catalog): Promise<SharedConfiguration> {
  const { secret: _secret, ...shared } = config;
  const { servers } = await catalog.status();
  const places = servers.map(({ name, address }) => ({ name, address }));
  return { ...shared, servers: places };
}

function blocksOf({ config, server }: OpenCatalogOptions, runtime: Runtime): Blocks {
  if (config.blocks !== undefined) return new VotedBlocks(config.blocks, config.secret, runtime);
  const { directory } = server;
  return directory === undefined ? new MemoryBlocks() : new DiskBlocks(join(directory, 'blocks'), runtime.disk);
}
