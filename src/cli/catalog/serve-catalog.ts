// The life of a process that serves a catalog.
import { serverWithId } from '../../catalog/configuration/parse-config.js';
import { type RunCatalogOptions, runCatalog } from '../../catalog/main.js';
import { nodeRuntime } from '../../runtime/node/runtime.js';
import { compileEarly } from '../../runtime/node/v8-options.js';
import { exitOnDefect } from '../defects.js';
import { claimStore } from '../locks/claim-store.js';
import { loadPage } from '../page-files.js';
import { RecordingFile } from '../recording-file.js';
import { asUsage, loadCatalogConfig } from './load-catalog-config.js';

/** What is told of a server while it runs. */
export interface Telling {
  /** A line for each message, on standard output. */
  readonly trace: boolean;
  /** The file of a recording. */
  readonly record?: string | undefined;
}

export type ServeOptions = Omit<RunCatalogOptions, 'say' | 'record'> & Telling;

export async function serveCatalog(file: string, id: string, telling: Telling): Promise<void> {
  const config = await loadCatalogConfig(file);
  const server = asUsage(() => serverWithId(config, id));
  await serve({ config, server, isNewcomer: false, ...telling });
}

/** Serves until it is told to stop, by a signal or by a client. */
export async function serve({ trace, record, ...options }: ServeOptions): Promise<void> {
  const { config, server } = options;
  compileEarly();
  const runtime = nodeRuntime({ logLevel: config.logLevel, logName: server.name });
  exitOnDefect(runtime.log);
  const { name, address, directory } = server;
  if (directory !== undefined) await claimStore({ name, address, directory });
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const recording = record === undefined ? null : new RecordingFile(record);
  const running = await runCatalog(
    {
      ...options,
      page: await loadPage(),
      ...(trace ? { say } : {}),
      ...(recording === null ? {} : { record: (text: string) => recording.write(text) }),
    },
    runtime,
  );
  const signalled = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
  const reason = await Promise.race([signalled, running.stopRequested.then(() => 'asked to')]);
  runtime.log.info('server.stopping', { reason });
  await running.close();
  await recording?.close();
  runtime.log.info('server.stopped', {});
  process.exit(0);
}
