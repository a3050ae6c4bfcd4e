// npm run test_crash -- [SERVERS] [FILE]   ends the processes of some data
// servers for good, and then shows whether a file can still be read and written.
import { runTool, type Session } from './faults/session.js';

async function testCrash(session: Session): Promise<void> {
  const { servers } = session;
  const state = await session.state();
  const before = await session.read();
  for (const server of servers) {
    const held = await session.showList(server, 'before crashing');
    if (held !== undefined) {
      await session.call(server, 'terminate');
      session.say(`${server.name} crashes`);
    }
    const gone = await session.until(async () =>
      session.call(server, 'ping').then(
        () => false,
        () => true,
      ),
    );
    session.expect(`${server.name} answers no more`, gone);
    await session.showList(server, 'after crashing');
  }
  const touched = new Set(servers.map(({ name }) => name));
  const left = state.servers.filter(({ name, state: word }) => word === 'up' && !touched.has(name)).length;
  session.say(
    `\n${left} of ${state.servers.length} data servers are up, Qr ${state.readQuorum}, Qw ${state.writeQuorum}`,
  );
  await session.tryReadAndWrite({
    read: left >= state.readQuorum,
    write: left >= state.writeQuorum,
    content: before.output,
  });
  session.say(`\nto start them again: ${session.restartCommand(servers.map(({ name }) => name))}`);
}

await runTool('test_crash', testCrash);
