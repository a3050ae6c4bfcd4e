// The view of recordings in a real browser: a seed's run stepped to its end, files that can't be shown, the table of protocols.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { after, afterEach, before, describe, it } from 'mocha';
import { RecordingReader } from '../../src/recording/reader.js';
import { isSteady, Timeline } from '../../src/recording/timeline.js';
import { processesOf, Recorder } from '../simulation/recording/recorder.js';
import { shapeFor } from '../simulation/shapes.js';
import { Simulation } from '../simulation/simulation.js';
import { PageUser } from '../support/browser.js';
import { until } from '../support/cluster.js';
import { requirePrograms } from '../support/programs.js';

const COMMAND = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const PAGE = pathToFileURL(fileURLToPath(new URL('../../page/index.html', import.meta.url))).href;
const STEPS = 8;
const MOST_SEEDS = 50;
/** Each is a key press. */
const MOST_EVENTS = 600;
const HUGE_BYTES = 500 * 1024 * 1024;
const TIME = "document.querySelector('.replay-time').textContent";
/** Of the last event in the list: whether it is the chosen one. */
const IS_AT_LAST =
  "document.querySelector('.replay-list li:last-child button').getAttribute('aria-current') === 'true'";

/** The recording of the first seed's run that is short and has a vote. */
async function shortRunWithVote(): Promise<string> {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    let text = '';
    const shape = shapeFor(seed, {});
    const write = (lines: string) => {
      text += lines;
    };
    const processes = processesOf(shape);
    const recorder = new Recorder({ write, title: 'A seed', command: 'npm run simulate', processes });
    await new Simulation({ seed, steps: STEPS, mode: 'safe', shape, recorder }).run();
    const { events } = timelineOf(text);
    if (events.length <= MOST_EVENTS && events.some(({ kind }) => kind === 'vote')) return text;
  }
  throw new Error(`no short run with a vote among ${MOST_SEEDS} seeds`);
}

function timelineOf(text: string): Timeline {
  const reader = new RecordingReader();
  reader.push(text);
  return new Timeline(reader.end(), (event) => event.kind === 'message' && isSteady(event));
}

describe('the view of recordings in a browser', function () {
  this.timeout(90_000);
  let folder: string;
  let file: string;
  let text = '';
  let timeline: Timeline;
  let serving: ChildProcess;
  let address = '';
  let user: PageUser;

  before(async function () {
    requirePrograms(this, 'chromium');
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-replay-'));
    file = join(folder, 'run.jsonl.gz');
    text = await shortRunWithVote();
    await writeFile(file, gzipSync(text));
    timeline = timelineOf(text);
    serving = spawn(process.execPath, [COMMAND, 'replay', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    serving.stdout?.on('data', (chunk) => {
      printed += String(chunk);
    });
    await until('the address', async () => /http:\S+/.test(printed));
    address = /(http:\/\/[^/]+\/)/.exec(printed)?.[1] ?? '';
    user = await PageUser.open();
    await user.size(1280, 900);
  });

  afterEach(() => {
    assert.deepEqual(user?.complaints ?? [], [], 'the browser complained');
  });

  after(async () => {
    await user?.close();
    serving?.kill('SIGINT');
    await rm(folder, { recursive: true, force: true });
  });

  async function open(place: string): Promise<void> {
    await user.page.goto('about:blank');
    await user.page.goto(`${address}#/${place}`);
  }

  /** Opens a file of the reader's, in a page without a server. */
  async function choose(path: string): Promise<void> {
    await user.page.goto('about:blank');
    await user.page.goto(`${PAGE}#/replay`);
    const field = await user.page.waitForSelector('input[type=file]');
    await (field as unknown as { uploadFile: (path: string) => Promise<void> } | null)?.uploadFile(path);
  }

  it('steps through the run of a seed to its end, by keyboard alone', async () => {
    await open('replay/served');
    await user.untilText(/A seed/);
    await user.page.focus('.diagram');
    for (const [at, event] of timeline.events.entries()) {
      await user.page.keyboard.press('ArrowRight');
      if (at % 50 !== 0) continue;
      const chosen = await user.textOf('.replay-list [aria-current] .replay-what');
      assert.notEqual(chosen, '', `event ${at}, ${event.kind}`);
    }
    assert.equal(await user.ask(IS_AT_LAST), true);
    await user.page.keyboard.press('ArrowRight');
    const [now, all] = (await user.ask<string>(TIME)).split(' of ');
    assert.equal(now?.trim(), all?.trim());
  });

  it('plays to the end, and stops there', async () => {
    await open('replay/served');
    await user.untilText(/A seed/);
    await user.page.select('.replay-controls select', '1000');
    await user.press('▶ Play');
    await user.untilText(/‖ Pause/);
    await user.untilText(/▶ Play/);
    const [now, all] = (await user.ask<string>(TIME)).split(' of ');
    assert.equal(now?.trim(), all?.trim());
  });

  it('goes to the next vote, explains it, and a link holds the place', async () => {
    const vote = timeline.events.find(({ kind }) => kind === 'vote');
    assert(vote !== undefined, 'the run has a vote');
    await open('replay/served');
    await user.untilText(/A seed/);
    await user.page.select('.replay-jump select', 'vote');
    await user.press('Next: Vote');
    await user.untilText(/match the witness|matches the witness/);
    await until('the address', async () => (await user.ask<string>('location.hash')).includes(`t=${vote.t}`));
    const link = await user.ask<string>('location.hash');
    await open(link.slice(2));
    await user.untilText(/match the witness|matches the witness/);
  });

  it('says what a message carries', async () => {
    await open('replay/served');
    await user.untilText(/A seed/);
    await user.page.select('.replay-jump select', 'message');
    await user.press('Next: Message');
    await user.untilText(/It carries/);
    assert.match(await user.textOf('.replay-details'), /→.*(arrived after|never arrived)/s);
  });

  it('opens a file without a server', async () => {
    await choose(file);
    await user.untilText(/A seed/);
    assert.match(
      await user.textOf('.replay-list h2'),
      new RegExp(`${timeline.events.length.toLocaleString('en')} in all`),
    );
    const bare = join(folder, 'bare.jsonl');
    await writeFile(bare, text);
    await choose(bare);
    await user.untilText(/A seed/);
  });

  it('says in a line why a file cannot be shown, and shows what can be', async () => {
    const write = async (name: string, content: string | Uint8Array): Promise<string> => {
      const path = join(folder, name);
      await writeFile(path, content);
      return path;
    };
    const huge = await write('huge.jsonl', text.slice(0, 1000));
    await truncate(huge, HUGE_BYTES);
    const packed = gzipSync(text);
    const damaged = text.split('\n').toSpliced(200, 1, '{"t":').join('\n');
    for (const [path, words] of [
      [await write('other.txt', 'hello\n'), /other\.txt: This is no recording of nmrfs/],
      [await write('empty', ''), /This is no recording of nmrfs/],
      [
        await write('later.jsonl', text.replace('"version":1', '"version":9')),
        /of version 9, and this page reads version 1/,
      ],
      [huge, /huge\.jsonl: This recording has 500 MiB or more, and 256 MiB is the most/],
      [await write('damaged.jsonl', damaged), /line 201 is damaged\. What comes before is shown/],
      [await write('cut.jsonl.gz', packed.subarray(0, packed.length / 2)), /The recording is not whole/],
      [await write('bomb.jsonl.gz', gzipSync(Buffer.alloc(300 * 1024 * 1024))), /no recording of nmrfs/],
    ] as const) {
      await choose(path);
      await user.untilText(words);
    }
    assert.match(await user.text(), /Open a recording/);
  });

  it('leads from each cell of the table of protocols into its recording', async () => {
    await open('replay');
    await user.untilText(/Five protocols under the same faults/);
    const page = await readFile('docs/protocols.md', 'utf8');
    assert.match(await user.text(), new RegExp(`raft\\s+${/\| raft \| (\d of 5)/.exec(page)?.[1]}`));
    assert.equal(await user.ask("document.querySelectorAll('.replay-protocols td a').length"), 12 * 5 * 6);
    const wait = /## The leader dies[^#]*\| raft \| [^|]+ \| ([^|]+) \|/.exec(page)?.[1] ?? assert.fail();
    const cell = await user.page.waitForSelector(`::-p-aria([name="raft, longest wait: ${wait}"][role="link"])`);
    await cell?.click();
    await user.untilText(/raft: the leader dies/);
    await user.untilText(/[1-9][\d.]* ms of/);
    await user.page.select('.replay-jump select', 'election');
    await user.press('Next: Election');
    await user.untilText(/asks for votes in term/);
  });

  it('has no finding of axe that is serious, and fits a phone and a projector', async () => {
    for (const [place, words] of [
      ['replay', /Five protocols/],
      ['replay/served', /A seed/],
    ] as const) {
      for (const width of [360, 1920]) {
        await user.size(width, 900);
        await open(place);
        await user.untilText(words);
        assert.equal(await user.isTooWide(), false, `${place} at ${width} pixels`);
      }
      assert.deepEqual(await user.findings(), [], place);
    }
  });
});
