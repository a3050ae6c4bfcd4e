// The processes of a cluster, and what the system says of each: its processor time and its memory.
import { readdir, readFile } from 'node:fs/promises';

/** Of /proc/PID/stat: USER_HZ is 100 on all systems that Node runs on. */
const TICK_MS = 10;

export interface Memory {
  anonymousKib: number;
  /** Pages of files that are mapped: programs, libraries, LMDB. The system can take them away at any time. */
  filesKib: number;
}

/**
 * All processes that were started with this configuration file, by name: mediators and mounts first, the supervisor last. Of several
 * mounts, each but one has its process number in its name.
 */
export async function processesOf(configFile: string): Promise<Map<string, number>> {
  const found: [string, number][] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    // A process may end while we look.
    const words = (await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const name = words.includes(configFile) ? nameOf(words) : undefined;
    if (name === undefined) continue;
    const isTaken = found.some(([other]) => other === name);
    found.push([isTaken ? `${name} ${entry}` : name, Number(entry)]);
  }
  return new Map(found.sort(([a], [b]) => rank(a).localeCompare(rank(b))));
}

/** User and system time of all its threads since its start. Fails when it has ended. */
export async function processorMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // Behind the program's name, which may contain anything: utime and stime are fields 14 and 15 of proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** NaN of a process that has ended. */
export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const figure = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN);
  return { anonymousKib: figure('RssAnon'), filesKib: figure('RssFile') + figure('RssShmem') };
}

/** By the words of its command line. */
function nameOf(words: readonly string[]): string | undefined {
  if (words.includes('up')) return 'supervisor';
  if (words.includes('mount') && words.includes('--foreground')) return 'mount';
  const serve = words.indexOf('serve');
  if (serve < 0) return undefined;
  const id = words.indexOf('--id');
  return words[serve + 1] === 'mediator' ? 'mediator' : words[id + 1];
}

const ORDER = ['mediator', 'mount', 'meta', 'data', 'supervisor'];

function rank(name: string): string {
  return `${ORDER.findIndex((each) => name.startsWith(each))} ${name}`;
}
