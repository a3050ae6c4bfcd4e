// The way from the command line to the `nmrfs up` of this configuration that runs on this machine.
import type { Config } from '../../config.js';
import { connectRemote } from '../../protocol/wire/client.js';
import { CommandFailure } from '../failure.js';
import { commandRuntime } from '../runtime.js';
import type { ControlService } from './control.js';
import { isLocked, readRecord, type SupervisorRecord } from './instance.js';

const CONTROL_DEADLINE_MS = 5000;

/** Answers the record of the supervisor that was asked; undefined where none runs. Throws CommandFailure while one is just starting. */
export async function askSupervisor(
  config: Config,
  ask: (control: ControlService) => Promise<unknown>,
): Promise<SupervisorRecord | undefined> {
  const record = await readRecord(config);
  if (!(await isLocked(config))) return undefined;
  if (record === undefined) throw new CommandFailure('nmrfs is just starting; try again in a moment');
  const { address, secret } = record;
  const remote = connectRemote(
    { name: 'supervisor', address, secret, deadlineMs: CONTROL_DEADLINE_MS, whileDown: 'wait' },
    commandRuntime(),
  );
  try {
    await ask(remote.service<ControlService>('control'));
  } finally {
    await remote.close();
  }
  return record;
}
