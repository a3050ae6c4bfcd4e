// Tables 1 to 6: which reads and writes succeed with how many
// corrupted or crashed replicas, found out on this cluster cell by cell.
import { goOn, type Hands, succeeded, until } from './hands.js';

export type Fault = 'corruption' | 'crash';
export type Operation = 'write' | 'read';

export interface Cell {
  fault: Fault;
  operation: Operation;
  /** How many replicas it befalls. */
  faults: number;
}

export interface Table {
  number: number;
  servers: number;
  readQuorum: number;
  writeQuorum: number;
  /** What the quorums promise: y for success, n for refusal, one letter per number of faults. */
  promised: Record<Fault, Record<Operation, string>>;
}

const NONE_CRASHED = 'ynnnnn';

export const TABLES: readonly Table[] = [
  {
    number: 1,
    servers: 1,
    readQuorum: 1,
    writeQuorum: 1,
    promised: { corruption: { write: 'yy', read: 'yn' }, crash: { write: 'yn', read: 'yn' } },
  },
  ...['ynnnnn', 'yynnnn', 'yyynnn', 'yyyynn', 'yyyyyn'].map((read, at) => ({
    number: at + 2,
    servers: 5,
    readQuorum: 5 - at,
    writeQuorum: 5,
    promised: { corruption: { write: 'yyyyyy', read }, crash: { write: NONE_CRASHED, read } },
  })),
];

const OLD = 'old content\n';
const NEW = 'new content\n';
const REPAIR_MS = 5000;
const STATE_MS = 60_000;

export function isPromised({ promised }: Table, { fault, operation, faults }: Cell): boolean {
  return promised[fault][operation][faults] === 'y';
}

/**
 * Finds every cell out. The cluster's own quorums come back at the end, and crashed servers too.
 * @param found whether the operation succeeded, with the right bytes
 */
export async function runTable(
  table: Table,
  hands: Hands,
  found: (cell: Cell, isDone: boolean) => void,
): Promise<void> {
  const { readQuorum, writeQuorum, dataservers } = await hands.cluster();
  const servers = dataservers.map(({ name }) => name);
  await setQuorums(hands, table.readQuorum, table.writeQuorum);
  try {
    for (let faults = 0; faults <= servers.length; faults++) {
      goOn(hands);
      await corrupt(hands, servers.slice(0, faults), found);
    }
    await crash(hands, servers, found);
  } finally {
    await setQuorums(hands, readQuorum, writeQuorum);
  }
}

/** The larger one first: at no moment may Qr + Qw be N or less. */
async function setQuorums(hands: Hands, readQuorum: number, writeQuorum: number): Promise<void> {
  const now = await hands.cluster();
  const setRead = () => hands.configure('readQuorum', String(readQuorum));
  const setWrite = () => hands.configure('writeQuorum', String(writeQuorum));
  if (writeQuorum >= now.writeQuorum) {
    await setWrite();
    await setRead();
  } else {
    await setRead();
    await setWrite();
  }
}

async function corrupt(
  hands: Hands,
  victims: readonly string[],
  found: (cell: Cell, isDone: boolean) => void,
): Promise<void> {
  const faults = victims.length;
  const name = `table-corruption-${faults}.txt`;
  const { inode } = await mustWrite(hands, name);
  if (faults > 0) await hands.corrupt(inode, victims);
  const read = await hands.read(name);
  const isRead = succeeded(read);
  found({ fault: 'corruption', operation: 'read', faults }, isRead && read.text === OLD);
  if (isRead && faults > 0) {
    // The write is to meet as many corrupted ones as the read has.
    const all = await (await hands.cluster()).dataservers.length;
    await until(hands, REPAIR_MS, async () => (await hands.agreeing(inode)) === all);
    await hands.corrupt(inode, victims);
  }
  found({ fault: 'corruption', operation: 'write', faults }, await isWritten(hands, name));
}

async function crash(
  hands: Hands,
  servers: readonly string[],
  found: (cell: Cell, isDone: boolean) => void,
): Promise<void> {
  const nameFor = (faults: number): string => `table-crash-${faults}.txt`;
  for (let faults = 0; faults <= servers.length; faults++) await mustWrite(hands, nameFor(faults));
  const ended: string[] = [];
  try {
    for (let faults = 0; faults <= servers.length; faults++) {
      goOn(hands);
      const victim = servers[faults - 1];
      if (victim !== undefined) {
        ended.push(victim);
        await hands.terminate(victim);
        await until(hands, STATE_MS, () => isDown(hands, victim));
      }
      const read = await hands.read(nameFor(faults));
      found({ fault: 'crash', operation: 'read', faults }, succeeded(read) && read.text === OLD);
      found({ fault: 'crash', operation: 'write', faults }, succeeded(await hands.write(nameFor(faults), NEW)));
    }
  } finally {
    for (const server of ended) await hands.restart(server, false);
  }
}

async function isDown(hands: Hands, server: string): Promise<boolean> {
  return (await hands.cluster()).dataservers.some(({ name, state }) => name === server && state === 'down');
}

async function isWritten(hands: Hands, name: string): Promise<boolean> {
  if (!succeeded(await hands.write(name, NEW))) return false;
  const back = await hands.read(name);
  return succeeded(back) && back.text === NEW;
}

async function mustWrite(hands: Hands, name: string): Promise<{ inode: number }> {
  const written = await hands.write(name, OLD);
  if (succeeded(written)) return written;
  throw new Error(`a file of the run can't be written (${written.refused}): all data servers must be up for it`);
}
