// npm run test_restart -- [SERVERS] [FILE]   restarts data servers, one after
// the other, as new processes with empty stores, and shows what each holds
// before, as it comes back, and when the mediator has rebuilt it.
import type { ServerConfig } from '../src/config.js';
import { type Entry, fingerprint, runTool, type Session } from './faults/session.js';

async function testRestart(session: Session): Promise<void> {
  const before = await session.read();
  for (const server of session.servers) {
    await restartBlank(session, server);
  }
  const state = await session.state();
  const up = state.servers.filter((server) => server.state === 'up').length;
  session.say(
    `\n${up} of ${state.servers.length} data servers are up, Qr ${state.readQuorum}, Qw ${state.writeQuorum}`,
  );
  const read = up >= state.readQuorum;
  const again = await session.read();
  session.expect(
    'the content is what it was before the restarts',
    !read || !before.succeeded || again.output === before.output,
  );
  await session.tryReadAndWrite({ read, write: up >= state.writeQuorum, content: again.output });
}

async function restartBlank(session: Session, server: ServerConfig): Promise<void> {
  await session.until(() => session.isTidy());
  const held = await session.showList(server, 'before restarting');
  const restarted = session.callMediator('restart', server.name, true);
  // The rebuild begins as soon as the mediator sees the new process: whoever wants to see it blank must look at once.
  const first = await firstList(session, server, restarted);
  session.say(`data in ${server.name} after restarting without restoring data (${server.name}.list_contents()):`);
  session.say(first.length === 0 ? '[]' : `${first.length} blocks: the rebuild has begun already`);
  const up = await session.until(async () =>
    (await session.state()).servers.some(({ name, state }) => name === server.name && state === 'up'),
  );
  session.expect(`${server.name} is rebuilt and up`, up);
  const after = await session.showList(server, 'after restarting with restoring data');
  if (held !== undefined && after !== undefined) {
    const expected = await heldByOthers(session, server, held);
    session.expect(`${server.name} holds again what it held`, contains(after, expected));
  }
  session.say('');
}

/** What the new process holds when it first answers; the old one's answers do not count. */
async function firstList(session: Session, server: ServerConfig, restarted: Promise<unknown>): Promise<Entry[]> {
  let entries: Entry[] = [];
  let wentAway = false;
  let done = false;
  const settled = restarted.finally(() => {
    done = true;
  });
  await Promise.all([
    settled,
    session.until(async () => {
      const answer = await session.list(server).catch(() => undefined);
      if (answer === undefined) {
        wentAway = true;
        return false;
      }
      entries = answer;
      return wentAway || done || answer.length === 0;
    }),
  ]);
  return entries;
}

/** Those of the entries that another server still holds: what was deleted meanwhile need not come back. */
async function heldByOthers(session: Session, server: ServerConfig, entries: readonly Entry[]): Promise<Entry[]> {
  const others = session.dataservers.filter(({ name }) => name !== server.name);
  const lists = await Promise.all(others.map((other) => session.list(other).catch((): Entry[] => [])));
  const lines = new Set(lists.flatMap((list) => fingerprint(list).split('\n')));
  return entries.filter((entry) => lines.has(fingerprint([entry])));
}

/** Whether every entry is there again; files may have been written meanwhile. */
function contains(after: readonly Entry[], held: readonly Entry[]): boolean {
  const lines = new Set(fingerprint(after).split('\n'));
  return fingerprint(held)
    .split('\n')
    .every((line) => line === '' || lines.has(line));
}

await runTool('test_restart', testRestart);
