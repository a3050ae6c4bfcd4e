// Scripts of a group: a command a line, and below it, indented, what the members said and did. Lines with # are for readers.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeRaft } from './make-cores.js';
import { ScriptedGroup } from './scripted-group.js';

/** The sources' folder: the build copies no scripts. */
export const SCRIPTS_FOLDER = fileURLToPath(
  new URL('../../../../test/conformance/replication/scripts', import.meta.url),
);

type Command = (group: ScriptedGroup, words: readonly string[]) => void;

const COMMANDS: Record<string, Command> = {
  // members a b c       begins a group of these voters
  members: (group, ids) => {
    for (const id of ids) group.add(id, ids);
  },
  // blank d             starts a member that belongs to no group yet
  blank: (group, [id]) => group.add(word(id), null),
  // patience a 3        from its next time-out on, 3 ticks are added to the shortest one, which has 10
  patience: (group, [id, ticks]) => group.setPatience(word(id), number(ticks)),
  // ticks 5; ticks a 5  the clocks of all, or of one, move on; nothing is delivered
  ticks: (group, words) => {
    const ids = words.length === 1 ? group.memberIds : words.slice(0, -1);
    for (let tick = 0; tick < number(words.at(-1)); tick++) group.tick(ids);
  },
  // run 20              all clocks move on, and after each tick everything is delivered
  run: (group, [ticks]) => {
    for (let tick = 0; tick < number(ticks); tick++) {
      group.tick(group.memberIds);
      group.deliverAll();
    }
  },
  // deliver; deliver a>b b>a; deliver a>b 1    all messages, and what they lead to; what waits on these links; the first of it
  deliver: (group, words) => {
    if (words.length === 0) group.deliverAll();
    const links = words.filter(isLink);
    const count = links.length === words.length ? Number.POSITIVE_INFINITY : number(words.at(-1));
    for (const link of links) group.deliver(link, count);
  },
  // drop; drop a>b      whatever waits is lost, or what waits on this link
  drop: (group, links) => {
    if (links.length === 0) group.drop(() => true);
    for (const link of links) group.drop((other) => other === link);
  },
  // repeat a>b          the network makes another copy of the first message that waits on this link
  repeat: (group, [link]) => group.repeat(word(link)),
  // delay a>b           the first message that waits on this link goes behind all others
  delay: (group, [link]) => group.delay(word(link)),
  // waiting             all messages that wait
  waiting: (group) => void group,
  // cut a>b c-d e       one direction; both; all links of e
  cut: (group, words) => group.cut(linksOf(group, words)),
  // hold a>b c-d e      messages there wait until they are delivered by name
  hold: (group, words) => group.hold(linksOf(group, words)),
  heal: (group) => group.heal(),
  // disk a slow         a write takes until `stored a`; so does what is to be sent after it
  disk: (group, [id, speed]) => group.setDisk(word(id), speed === 'slow'),
  stored: (group, [id]) => group.finishWriting(word(id)),
  // propose a x 300     x counts as so many bytes; a message takes entries up to 400, or one
  propose: (group, [id, data, bytes]) => group.propose(word(id), word(data), bytes === undefined ? 1 : number(bytes)),
  // change a b c + d    a proposes to have the voters b and c, and the learner d
  change: (group, [id, ...words]) => {
    const plus = words.indexOf('+');
    const voters = plus < 0 ? words : words.slice(0, plus);
    group.proposeMembers(word(id), { voters, learners: plus < 0 ? [] : words.slice(plus + 1) });
  },
  transfer: (group, [id, to]) => group.transfer(word(id), word(to)),
  // ask a               a round of heartbeats, as before a read
  ask: (group, [id]) => group.startRound(word(id)),
  // compact a           drops the entries that are applied
  compact: (group, [id]) => group.compact(word(id)),
  crash: (group, [id]) => group.crash(word(id)),
  // damage a 3          the disk of a loses the entries from 3 on, while a is down
  damage: (group, [id, first]) => group.damage(word(id), number(first)),
  restart: (group, [id]) => group.start(word(id)),
  status: (group) => void group,
};

/** @returns the script with what its commands say today */
export function runScript(script: string, make = makeRaft): string {
  const group = new ScriptedGroup(make);
  const lines = script
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith(' '));
  return `${lines.flatMap((line) => [line, ...indented(run(group, line))]).join('\n')}\n`;
}

export function readScript(file: string): string {
  return readFileSync(join(SCRIPTS_FOLDER, file), 'utf8');
}

function run(group: ScriptedGroup, line: string): string[] {
  if (line === '' || line.startsWith('#')) return [];
  const all = line.split(' ');
  // quietly COMMAND     says only what is different afterwards
  const [name = '', ...words] = all[0] === 'quietly' ? all.slice(1) : all;
  const before = new Set(group.status());
  try {
    (COMMANDS[name] ?? assert.fail('no such command'))(group, words);
  } catch (error) {
    throw new Error([`at «${line}»`, ...indented(group.takeLines())].join('\n'), { cause: error });
  }
  const said = group.takeLines();
  if (name === 'status') return group.status();
  if (name === 'waiting') return group.waiting();
  return all[0] === 'quietly' ? group.status().filter((status) => !before.has(status)) : said;
}

function linksOf(group: ScriptedGroup, words: readonly string[]): string[] {
  return words.flatMap((text) => {
    if (isLink(text)) return [text];
    const [one = '', other] = text.split('-');
    const others = other === undefined ? group.memberIds.filter((id) => id !== one) : [other];
    return others.flatMap((id) => [`${one}>${id}`, `${id}>${one}`]);
  });
}

function isLink(text: string): boolean {
  return text.includes('>');
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function word(text: string | undefined): string {
  return text ?? assert.fail('a word is missing');
}

function number(text: string | undefined): number {
  assert(text !== undefined && /^\d+$/.test(text), 'a number is missing');
  return Number(text);
}
