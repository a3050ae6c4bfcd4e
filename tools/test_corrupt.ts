// npm run test_corrupt -- [SERVERS] [FILE]   replaces the stored bytes of a file
// on some data servers, shows what they hold before and after, and then whether
// the file can still be read and written.
import { fingerprint, runTool, type Session } from './faults/session.js';

async function testCorrupt(session: Session): Promise<void> {
  const { servers } = session;
  const state = await session.state();
  const before = await session.read();
  for (const server of servers) {
    const entries = session.ofFile((await session.showList(server, 'before corrupted')) ?? []);
    for (const { key } of entries) {
      await session.call(server, 'corrupt', key);
    }
    const after = session.ofFile((await session.showList(server, 'after corrupted')) ?? []);
    const value = after[0] === undefined ? '' : await session.call(server, 'get', after[0].key);
    session.say(
      `the value of ${session.innerPath} there: '${Buffer.from(value instanceof Uint8Array ? value : String(value)).toString('utf8')}'\n`,
    );
    session.expect(
      `${server.name} holds other bytes`,
      entries.length === 0 || fingerprint(entries) !== fingerprint(after),
    );
  }
  const touched = new Set(servers.map(({ name }) => name));
  const up = state.servers.filter((server) => server.state === 'up');
  const good = up.filter(({ name }) => !touched.has(name)).length;
  const read = before.succeeded && good >= state.readQuorum;
  session.say(
    `\n${good} of ${state.servers.length} replicas are good, Qr ${state.readQuorum}, Qw ${state.writeQuorum}`,
  );
  if (read) {
    const outcome = await session.read();
    session.expect('the read succeeds with the right bytes', outcome.succeeded && outcome.output === before.output);
    session.expect(
      'all replicas are repaired and equal',
      await session.until(() =>
        allEqual(
          session,
          up.map(({ name }) => name),
        ),
      ),
    );
    for (const server of servers) {
      await session.showList(server, 'after the read');
    }
  }
  await session.tryReadAndWrite({ read, write: up.length >= state.writeQuorum, content: before.output });
}

async function allEqual(session: Session, names: readonly string[]): Promise<boolean> {
  const servers = session.dataservers.filter(({ name }) => names.includes(name));
  const lists = await Promise.all(servers.map((server) => session.list(server)));
  return new Set(lists.map((entries) => fingerprint(session.ofFile(entries)))).size === 1;
}

await runTool('test_corrupt', testCorrupt);
