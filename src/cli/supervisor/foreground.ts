// `nmrfs up` as a person sees it: the ready line, warnings as they come, and
// Ctrl-C. And `nmrfs down`, its end from elsewhere.
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Config } from '../../config.js';
import { describeMediators, describeMetadata, describeSurvival } from '../../explain/survival.js';
import { CommandFailure } from '../failure.js';
import { bindingEnvironment, chooseBinding } from '../mounting/binding.js';
import { clearIfDead, mountPoint } from '../mounting/mounts.js';
import { logDirectory } from '../paths.js';
import { askSupervisor } from './control-client.js';
import { isLocked, readRecord, removeRecord } from './instance.js';
import type { Show } from './logs.js';
import { Supervisor } from './supervisor.js';

/** Unmounting flushes what programs wrote; a slow disk may need its time for that. */
const DOWN_DEADLINE_MS = 120_000;
const DOWN_POLL_MS = 50;

export interface UpRequest {
  mount?: string;
  binding?: 'kernel' | 'fuse-native';
}

/** Runs all servers until a signal or `nmrfs down` ends them. */
export async function runUp(given: Config, request: UpRequest): Promise<void> {
  const directory = await mountPoint(request.mount ?? given.mount.directory);
  const config: Config = { ...given, mount: { ...given.mount, directory } };
  const binding = chooseBinding(request.binding ?? config.mount.binding);
  const environment = await bindingEnvironment(binding);
  const supervisor = new Supervisor(config, {
    mount: { directory, binding, environment },
    show: await showOn(process.stderr),
  });
  for (const stream of [process.stdout, process.stderr]) {
    // What it says may have nowhere to go, a file on a full disk say: that must end no server.
    stream.removeAllListeners('error');
    stream.on('error', () => {});
  }
  const ended = endRequested(supervisor);
  const started = supervisor.start();
  const notes = await Promise.race([started, ended.then(() => undefined)]);
  if (notes !== undefined) {
    const text = readyText(config, binding, notes);
    process.stdout.write(`${text}\n`);
    process.send?.({ kind: 'ready', text });
    await ended;
  }
  await supervisor.stop();
  // A start that was interrupted fails because it was; there is nothing to tell.
  await started.catch(() => {});
  process.exit(0);
}

/** Resolves at the first signal or when `nmrfs down` asks; a second signal forces the end. */
function endRequested(supervisor: Supervisor): Promise<void> {
  const signalled = new Promise<void>((resolve) => {
    let count = 0;
    const onSignal = (): void => {
      count += 1;
      if (count === 1) {
        process.stderr.write('\nnmrfs: unmounting and stopping all servers (once more: at once, without flushing)\n');
        resolve();
      } else {
        supervisor.kill().then(
          () => process.exit(1),
          () => process.exit(1),
        );
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, onSignal);
    }
  });
  return Promise.race([signalled, supervisor.stopAsked]);
}

function readyText(config: Config, binding: string, notes: readonly string[]): string {
  const { readQuorum, writeQuorum, dataservers, mount } = config;
  const shown = relative(process.cwd(), mount.directory);
  const directory = shown === '' || shown.startsWith('..') ? mount.directory : shown;
  // Where npm has put the command: in this project, or on the path.
  const command = existsSync(join('node_modules', '.bin', 'nmrfs')) ? 'npx nmrfs' : 'nmrfs';
  const option = relative(process.cwd(), config.file) === 'nmrfs.yaml' ? '' : ` --config ${config.file}`;
  const tries = config.testHooks
    ? [
        `echo hello > ${directory}/a.txt && cat ${directory}/a.txt`,
        `${command} corrupt /a.txt --on ${dataservers[0]?.name}${option} && cat ${directory}/a.txt`,
        `${command} status${option}`,
      ]
    : [
        `echo hello > ${directory}/a.txt && cat ${directory}/a.txt`,
        `${command} votes /a.txt${option}`,
        `${command} status${option}`,
      ];
  const survived = [
    describeSurvival(dataservers.length, config),
    describeMetadata(config.metaservers.length, config.metadataProtocol) ?? [],
    describeMediators(config.mediators.length) ?? [],
  ];
  return [
    `nmrfs is ready: ${mount.directory} (${binding}), N ${dataservers.length}, Qr ${readQuorum}, Qw ${writeQuorum}, page ${pageAddress(config)}`,
    ...(notes.length > 0
      ? [...notes.map((note) => `  but ${note}`), `  see: ${command} status${option}`]
      : [...survived.flat().map((line) => `  ${line}`), '  try:', ...tries.map((line) => `    ${line}`)]),
    `  logs: ${logDirectory(config)}   stop: ${isDetached() ? '' : 'Ctrl-C or '}${command} down${option}`,
  ].join('\n');
}

/** What a browser on this machine takes. */
function pageAddress({ mediators }: Config): string {
  const address = mediators[0]?.address ?? '';
  return `http://${address.replace(/^(0\.0\.0\.0|\[::\]):/, 'localhost:')}/`;
}

/** Whether `nmrfs up --detach` has started this process: no terminal's Ctrl-C reaches it. */
function isDetached(): boolean {
  return process.send !== undefined;
}

/** Warnings and errors as they come: time, level, server, event and its fields. */
async function showOn(stream: NodeJS.WriteStream): Promise<Show> {
  const { paintOn } = await import('../output.js');
  return (name, { level, event, time, pid: _pid, hostname: _hostname, name: _name, ...fields }) => {
    const word = level === 'warn' ? paintOn(stream, 'yellow', 'warn') : paintOn(stream, 'red', 'error');
    const clock = new Date(typeof time === 'string' ? time : Date.now()).toTimeString().slice(0, 8);
    const details = Object.entries(fields)
      .filter(([, value]) => value !== null && value !== '')
      .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    stream.write(`${clock} ${word} ${name} ${String(event ?? '')} ${details.join(' ')}\n`);
  };
}

/** Asks the supervisor of this configuration to stop, and waits until it has. Answers whether one was running. */
export async function stopRunning(config: Config): Promise<boolean> {
  const record = await askSupervisor(config, (control) => control.stop({}));
  if (record === undefined) {
    const left = await readRecord(config);
    await clearLeftovers(config, left?.mountDirectory ?? config.mount.directory);
    return false;
  }
  const end = performance.now() + DOWN_DEADLINE_MS;
  while (await isLocked(config)) {
    if (performance.now() > end) {
      throw new CommandFailure(
        `process ${record.processId} has not stopped within ${DOWN_DEADLINE_MS} ms; see its logs in ${logDirectory(config)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, DOWN_POLL_MS));
  }
  return true;
}

/** After a SIGKILL: nothing runs, but its file and a dead mount may still be there. */
async function clearLeftovers(config: Config, directory: string): Promise<void> {
  await clearIfDead(directory);
  await removeRecord(config);
}
