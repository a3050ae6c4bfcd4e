// The life of a process that serves a catalog.
import { serverWithId } from '../../catalog/configuration/parse-config.js';
import { type RunCatalogOptions, runCatalog } from '../../catalog/main.js';
import { nodeRuntime } from '../../runtime/node/runtime.js';
import { compileEarly } from '../../runtime/node/v8-options.js';
import { exitOnDefect } from '../defects.js';
import { claimStore } from '../locks/claim-store.js';
import { loadPage } from '../page-files.js';
import { asUsage, loadCatalogConfig } from './load-catalog-config.js';

export type ServeOptions = Omit<RunCatalogOptions, 'say'> & { readonly trace: boolean };

export async function serveCatalog(file: string, id: string, trace: boolean): Promise<void> {
  const config = await loadCatalogConfig(file);
  const server = asUsage(() => serverWithId(config, id));
  await serve({ config, server, isNewcomer: false, trace });
}

/** Serves until it is told to stop, by a signal or by a client. */
export async function serve({ trace, ...options }: ServeOptions): Promise<void> {
  const { config, server } = options;
  compileEarly();
  const runtime = nodeRuntime({ logLevel: config.logLevel, logName: server.name });
  exitOnDefect(runtime.log);
  const { name, address, directory } = server;
  if (directory !== undefined) await claimStore({ name, address, directory });
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const page = await loadPage();
  const running = await runCatalog({ ...options, page, ...(trace ? { say } : {}) }, runtime);
  const signalled = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
  const reason = await Promise.race([signalled, running.stopRequested.then(() => 'asked to')]);
  runtime.log.info('server.stopping', { reason });
  await running.close();
  runtime.log.info('server.stopped', {});
  process.exit(0);
}
