// The report's three stories: a file whose replicas are corrupted, crash, or come
// back blank, and what reads and writes come to.
import { inWords, listed } from '../../../explain/words.js';
import { goOn, type Hands, type Held, succeeded, until } from './hands.js';

/** Something that was done or seen. */
export interface Step {
  text: string;
  /** Of what the configuration promises; absent where it promises nothing. */
  isAsPromised?: boolean;
  /** What a server holds of the file; null: it does not answer. */
  held?: { server: string; entries: readonly Held[] | null };
}

export type Tell = (step: Step) => void;

export interface Story {
  name: 'corrupt' | 'crash' | 'restart';
  title: string;
  about: string;
  run(hands: Hands, servers: readonly string[], tell: Tell): Promise<void>;
}

const CONTENT = '1234\n';
const REPAIR_MS = 20_000;
const STATE_MS = 60_000;

export const STORIES: readonly Story[] = [
  {
    name: 'corrupt',
    title: 'Corrupted replicas',
    about:
      'A file’s bytes are replaced on some data servers, differently on each. A read outvotes and repairs them, as long as enough agree.',
    run: corrupted,
  },
  {
    name: 'crash',
    title: 'Crashed data servers',
    about:
      'The processes of some data servers end, and stay ended. Reads go on while Qr are there, writes while Qw are.',
    run: crashed,
  },
  {
    name: 'restart',
    title: 'Blank data servers',
    about:
      'Data servers come back one after the other as new processes with empty stores, and are rebuilt from the others.',
    run: restarted,
  },
];

async function corrupted(hands: Hands, servers: readonly string[], tell: Tell): Promise<void> {
  const { name, inode } = await newFile(hands, 'corrupt', tell);
  for (const server of servers) await showHeld(hands, server, inode, `${server} before`, tell);
  await hands.corrupt(inode, servers);
  tell({ text: `The file's bytes were replaced on ${listed(servers)}.` });
  for (const server of servers) await showHeld(hands, server, inode, `${server} after`, tell);
  const { readQuorum, writeQuorum, dataservers } = await hands.cluster();
  const up = dataservers.filter(({ state }) => state === 'up').length;
  const good = up - servers.length;
  tell({
    text: `${sentence(good)} of ${dataservers.length} replicas are good, and ${inWords(readQuorum)} must agree (Qr).`,
  });
  const isReadable = good >= readQuorum;
  await tryRead(hands, name, isReadable ? CONTENT : null, tell);
  if (isReadable) {
    const isMended = await until(hands, REPAIR_MS, async () => (await hands.agreeing(inode)) >= up);
    tell({ text: 'All replicas are repaired and equal.', isAsPromised: isMended });
    for (const server of servers) await showHeld(hands, server, inode, `${server} after the read`, tell);
  }
  await tryWrite(hands, name, up >= writeQuorum, isReadable ? CONTENT : null, tell);
}

async function crashed(hands: Hands, servers: readonly string[], tell: Tell): Promise<void> {
  const { name, inode } = await newFile(hands, 'crash', tell);
  try {
    for (const server of servers) {
      goOn(hands);
      await showHeld(hands, server, inode, `${server} before`, tell);
      await hands.terminate(server);
      const isGone = await until(hands, STATE_MS, async () => (await stateOf(hands, server)) === 'down');
      tell({ text: `${server} crashes, and answers no more.`, isAsPromised: isGone });
    }
    const { readQuorum, writeQuorum, dataservers } = await hands.cluster();
    const up = dataservers.filter(({ state }) => state === 'up').length;
    tell({
      text: `${sentence(up)} of ${dataservers.length} data servers are up; Qr is ${readQuorum}, Qw is ${writeQuorum}.`,
    });
    await tryRead(hands, name, up >= readQuorum ? CONTENT : null, tell);
    await tryWrite(hands, name, up >= writeQuorum, up >= readQuorum ? CONTENT : null, tell);
  } finally {
    await bringBack(hands, servers, tell);
  }
}

async function restarted(hands: Hands, servers: readonly string[], tell: Tell): Promise<void> {
  const { name, inode } = await newFile(hands, 'restart', tell);
  for (const server of servers) {
    goOn(hands);
    await showHeld(hands, server, inode, `${server} before`, tell);
    await hands.restart(server, true);
    tell({ text: `${server} came back as a new process with an empty store.` });
    const isUp = await until(hands, STATE_MS, async () => (await stateOf(hands, server)) === 'up');
    tell({ text: `${server} is rebuilt, up, and votes.`, isAsPromised: isUp });
    await showHeld(hands, server, inode, `${server} after the rebuild`, tell);
  }
  const { readQuorum, writeQuorum, dataservers } = await hands.cluster();
  const up = dataservers.filter(({ state }) => state === 'up').length;
  await tryRead(hands, name, up >= readQuorum ? CONTENT : null, tell);
  await tryWrite(hands, name, up >= writeQuorum, up >= readQuorum ? CONTENT : null, tell);
}

async function newFile(hands: Hands, story: Story['name'], tell: Tell): Promise<{ name: string; inode: number }> {
  const name = `story-${story}.txt`;
  const written = await hands.write(name, CONTENT);
  if (!succeeded(written)) throw new Error(`the file of the story can't be written: ${written.refused}`);
  tell({ text: `/nmrfs-runs/${name} holds «${CONTENT.trim()}».` });
  return { name, inode: written.inode };
}

async function showHeld(hands: Hands, server: string, inode: number, text: string, tell: Tell): Promise<void> {
  tell({ text, held: { server, entries: await hands.contents(server, inode) } });
}

/** @param expected null: the read must be refused */
async function tryRead(hands: Hands, name: string, expected: string | null, tell: Tell): Promise<void> {
  const outcome = await hands.read(name);
  if (!succeeded(outcome)) {
    tell({
      text: `The read is refused (${outcome.refused}): no wrong byte is returned.`,
      isAsPromised: expected === null,
    });
    return;
  }
  const isRight = outcome.text === expected;
  tell({
    text: `The read answers «${outcome.text.trim()}»${isRight ? ', the right bytes' : ''}.`,
    isAsPromised: isRight,
  });
}

/** @param kept what a refused write must leave; null where that can't be read */
async function tryWrite(
  hands: Hands,
  name: string,
  isExpected: boolean,
  kept: string | null,
  tell: Tell,
): Promise<void> {
  const text = `written at ${new Date().toISOString()}\n`;
  const outcome = await hands.write(name, text);
  if (succeeded(outcome)) {
    tell({ text: 'The write succeeds.', isAsPromised: isExpected });
    await tryRead(hands, name, text, tell);
    return;
  }
  tell({ text: `The write is refused (${outcome.refused}).`, isAsPromised: !isExpected });
  if (kept !== null) {
    tell({ text: 'What was there before must still be there.' });
    await tryRead(hands, name, kept, tell);
  }
}

/** Whatever has happened, they are started again. */
export async function bringBack(hands: Hands, servers: readonly string[], tell: Tell): Promise<void> {
  for (const server of servers) await hands.restart(server, false);
  if (servers.length > 0) tell({ text: `${listed(servers)} ${servers.length === 1 ? 'was' : 'were'} started again.` });
}

async function stateOf(hands: Hands, server: string): Promise<string | undefined> {
  return (await hands.cluster()).dataservers.find(({ name }) => name === server)?.state;
}

function sentence(count: number): string {
  const word = inWords(count);
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
