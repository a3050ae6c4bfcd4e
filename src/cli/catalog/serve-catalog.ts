// The life of a process that serves a catalog.
import { serverWithId } from '../../catalog/configuration/catalog-config.js';
import { runCatalog } from '../../catalog/main.js';
import { nodeRuntime } from '../../runtime/node/runtime.js';
import { compileEarly } from '../../runtime/node/v8-options.js';
import { exitOnDefect } from '../defects.js';
import { claimStore } from '../locks/claim-store.js';
import { asUsage, loadCatalogConfig } from './load-catalog-config.js';

/** Serves until it is told to stop, by a signal or by a client. */
export async function serveCatalog(file: string, id: string): Promise<void> {
  const config = await loadCatalogConfig(file);
  const server = asUsage(() => serverWithId(config, id));
  compileEarly();
  const runtime = nodeRuntime({ logLevel: config.logLevel, logName: server.name });
  exitOnDefect(runtime.log);
  const { name, directory } = server;
  if (directory !== undefined) await claimStore({ name, address: server.address, directory });
  const running = await runCatalog({ config, server, isNewcomer: false }, runtime);
  const signalled = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
  const reason = await Promise.race([signalled, running.stopRequested.then(() => 'asked to')]);
  runtime.log.info('server.stopping', { reason });
  await running.close();
  runtime.log.info('server.stopped', {});
  process.exit(0);
}
