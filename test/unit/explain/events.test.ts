import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EVENT_NAMES, explainEvent } from '../../../src/explain/events.js';

/** Text in src that looks like the name of an event and is none: files, settings, extended attributes, calls. */
const NO_EVENTS =
  /\.(json|yaml|yml|mdb|out|lock|sock|log|css|js|html|tsx?|md|pid)$|^(glibc|fuse|mount\.fuse|system|user|trusted|security|etcd\.user|etcd\.tls)\b|^blocks\.put$/;

/** Names that are put together from parts, and what they come to. */
const COMPOSED: Readonly<Record<string, readonly string[]>> = {
  '`replica.${replica.state}`': ['replica.up', 'replica.rebuilding', 'replica.down', 'replica.blank'],
  '`${this.#name}.interrupted`': ['garbage.interrupted', 'recovery.interrupted', 'results.interrupted'],
  '`${this.#parts.what}.leader`': ['metadata.leader', 'files.leader'],
  '`${this.#parts.what}.leader_lost`': ['metadata.leader_lost', 'files.leader_lost'],
  '`${what}.no_leader`': ['metadata.no_leader', 'files.no_leader'],
  '`etcd.${error.trouble}`': ['etcd.away', 'etcd.gone', 'etcd.refused'],
};

/** Names with which a program of the terminal or a page may be written: their files log nothing. */
const WITHOUT_EVENTS = ['explain', 'page'];

async function sources(): Promise<string> {
  const texts: string[] = [];
  for (const entry of await readdir('src', { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    if (WITHOUT_EVENTS.some((folder) => path.startsWith(join('src', folder)))) continue;
    texts.push((await readFile(path, 'utf8')).replaceAll(/^import .*$/gm, ''));
  }
  return texts.join('\n');
}

function namesIn(source: string): { literals: Set<string>; templates: Set<string> } {
  const literals = [...source.matchAll(/'([a-z]+(?:\.[a-z][a-zA-Z_-]*)+)'/g)].map(([, name]) => name ?? '');
  const templates = [...source.matchAll(/\.(?:debug|info|warn|error)\(\s*(`[^`]*`)/g)].map(([, text]) => text ?? '');
  return { literals: new Set(literals.filter((name) => !NO_EVENTS.test(name))), templates: new Set(templates) };
}

describe('sentences about events', () => {
  let logged: ReturnType<typeof namesIn>;

  before(async () => {
    logged = namesIn(await sources());
    assert.ok(logged.literals.size > 150, 'the names were found');
  });

  it('there is one for every event that src logs', () => {
    const known = new Set(EVENT_NAMES);
    const missing = [...logged.literals].filter((name) => !known.has(name));
    assert.deepEqual(missing, [], 'write what it means in src/explain/events');
  });

  it('names that are put together from parts are all known', () => {
    assert.deepEqual([...logged.templates].sort(), Object.keys(COMPOSED).sort());
    for (const name of Object.values(COMPOSED).flat()) assert.ok(explainEvent(name) !== undefined, name);
  });

  it('there is none for an event that nothing logs', () => {
    const composed = Object.values(COMPOSED).flat();
    const stale = EVENT_NAMES.filter((name) => !logged.literals.has(name) && !composed.includes(name));
    assert.deepEqual(stale, []);
  });

  it('finds an event that has no sentence', () => {
    assert.deepEqual([...namesIn("log.warn('disk.on_fire', {});").literals], ['disk.on_fire']);
  });

  it('each is one plain sentence about what it means and one about what to do', () => {
    for (const name of EVENT_NAMES) {
      const { means, todo } = explainEvent(name) ?? assert.fail(name);
      for (const sentence of [means, todo ?? 'Nothing.']) {
        assert.match(sentence, /^([A-Z(]|etcd |nmrfs )/, name);
        assert.ok(sentence.length < 220, `${name}: ${sentence}`);
        assert.ok(!sentence.includes('{'), `${name}: ${sentence}`);
      }
    }
  });

  it('say what the fields of the line say', () => {
    const dissent = explainEvent('vote.dissent', { server: 'data2', inode: 7, index: 0, ballot: 'present' });
    assert.equal(
      dissent?.means,
      'data2 lost the vote on block 0 of inode 7: it has other bytes than the witness says.',
    );
    assert.equal(
      explainEvent('server.failed', { reason: 'no room.' })?.means,
      'The server could not start or go on: no room.',
    );
    assert.equal(explainEvent('replica.down')?.means.startsWith('(server unknown) cannot'), true);
  });

  it('says nothing about what it does not know', () => {
    assert.equal(explainEvent('somebody.else'), undefined);
    assert.equal(explainEvent('constructor'), undefined);
  });
});
