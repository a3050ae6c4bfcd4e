// The page of a real cluster in a real browser: what is done with it, and what it
// shows of what happens.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'mocha';
import { loadConfig } from '../../src/cli/config-file.js';
import { PageUser } from '../support/browser.js';
import { Cluster, until } from '../support/cluster.js';
import { requirePrograms } from '../support/programs.js';
import { requireFuse } from '../support/require-fuse.js';

const VIEWS = ['cluster', 'files', 'files/four.bin?block=1', 'events', 'faults'];
const MARKUP = '<img src=x onerror=alert(1)><b>bold<b>&amp;';
const RIGHT_TO_LEFT = '\u202egnp.exe';
/** The name of what has the focus. */
const FOCUSED = "document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''";
/** Scrolls the grid to its end in 60 steps; answers how long the slowest frame took, in milliseconds. */
const SCROLL_THROUGH = `(async () => {
  const grid = document.querySelector('.grid');
  let worst = 0;
  let before = performance.now();
  for (let step = 0; step <= 60; step++) {
    grid.scrollTop = (step / 60) * grid.scrollHeight;
    await new Promise((resolve) => requestAnimationFrame(resolve));
    worst = Math.max(worst, performance.now() - before);
    before = performance.now();
  }
  return worst;
})()`;
const LONGEST = 'x'.repeat(255);

describe('the page in a browser', function () {
  this.timeout(90_000);
  let cluster: Cluster;
  let user: PageUser;
  let addresses: string[];

  before(async function () {
    requireFuse(this);
    requirePrograms(this, 'chromium');
    cluster = await Cluster.start({ servers: 5, mediators: 2 });
    const { mediators } = await loadConfig(cluster.configFile);
    const { mediators: known } = await cluster.status();
    const active = known.find(({ state }) => state === 'active')?.name;
    // The active one first.
    addresses = mediators.toSorted((one) => (one.name === active ? -1 : 1)).map(({ address }) => `http://${address}/`);
    await mustRun('head -c 500000 /dev/urandom > four.bin; echo hello > a.txt; mkdir dir; touch empty');
    user = await PageUser.open();
    await user.size(1280, 900);
  });

  afterEach(() => {
    assert.deepEqual(user?.complaints ?? [], [], 'the browser complained');
  });

  after(async () => {
    await user?.close();
    await cluster?.destroy();
  });

  async function mustRun(line: string): Promise<void> {
    const { status, stderr } = await cluster.shell(line);
    assert.equal(status, 0, stderr);
  }

  /** The page anew, so that nothing of the case before is left. */
  async function open(place: string, at = 0): Promise<void> {
    await user.page.goto('about:blank');
    await user.page.goto(`${addresses[at]}#/${place}`);
    await user.untilText(/✓\s*live/);
  }

  it('says how the cluster is, with a card for each server', async () => {
    await open('cluster');
    await user.untilText(/All is well: reads and writes go on/);
    await user.untilText(/Reads survive 2 bad or missing replicas of 5/);
    const cards = await user.page.$$eval('.card h3', (heads) => heads.map(({ textContent }) => textContent));
    assert.deepEqual(cards, ['data1', 'data2', 'data3', 'data4', 'data5', 'meta1', 'mediator1', 'mediator2']);
    await user.page.waitForSelector('.curve canvas');
  });

  it('corrupts two replicas, shows it, and shows the repair after a read through the mount', async () => {
    await open('files/four.bin');
    await user.page.waitForSelector('[data-row="2"] .cell.agrees');
    await user.page.click('[data-row="2"] [data-column="0"]');
    await user.untilText(/All five agree and match the witness, so the read is answered/);
    await user.check('data2');
    await user.check('data4');
    await user.press('Corrupt');
    await user.untilText(/Three of five agree and match the witness.*data2 and data4 hold other bytes/s);
    const kinds = await user.page.$$eval('[data-row="2"] [data-column]', (cells) =>
      cells.map((cell) => cell.getAttribute('aria-label')),
    );
    assert.deepEqual(kinds, ['data1: agrees', 'data2: dissents', 'data3: agrees', 'data4: dissents', 'data5: agrees']);
    await mustRun('cat four.bin > /dev/null');
    await user.untilText(/All five agree and match the witness.*Before.*data2 and data4 hold other bytes.*repaired/s);
    await open('events?kind=repair');
    await user.untilText(/data2 got the right bytes of block 2 of inode \d+/);
    await user.page.type('#events-file', '/a.txt\n');
    await user.untilText(/No event fits/);
    await user.untilText(/\/a\.txt/);
  });

  it('votes again when it is asked to', async () => {
    await open('files/a.txt?block=0');
    await user.untilText(/All five agree/);
    await cluster.corrupt('/a.txt', 'data5');
    await user.press('Vote again');
    await user.untilText(/data5 holds other bytes/);
    await mustRun('cat a.txt');
  });

  it('terminates a server, after which a write is refused, and rebuilds it blank', async () => {
    await open('faults');
    await user.press('Terminate data3');
    await user.untilText(/data3 was terminated/);
    await cluster.untilState('down', 'data3');
    assert.match((await cluster.shell('echo x > refused.txt')).stderr, /Input\/output error/);
    await user.untilText(/data3\s*✕\s*down/);
    await open('cluster');
    await user.untilText(/Reads go on, writes are refused/);
    await open('faults');
    await user.press('Restart blank data3');
    await user.untilText(/data3 is back with an empty store/, 60_000);
    await open('cluster');
    await user.untilText(/All is well: reads and writes go on/, 60_000);
    await mustRun('cat four.bin > /dev/null && echo y > written.txt');
  });

  it('shows a server that was stopped, and one that goes on', async () => {
    await open('faults');
    await user.press('Stop data1');
    await user.untilText(/data1 was stopped where it is/);
    await mustRun('cat four.bin > /dev/null');
    await user.untilText(/data1\s*✕\s*down/, 30_000);
    await user.press('Continue data1');
    await user.untilText(/data1\s*✓\s*up/, 30_000);
  });

  it('changes quorums, and refuses those that can not be', async () => {
    await open('faults');
    await user.page.waitForSelector('#set-readQuorum');
    await user.page.select('#set-readQuorum', '2');
    await user.untilText(/Qr is 2 until the mediator ends/);
    assert.equal((await cluster.status()).readQuorum, 2);
    await user.page.select('#set-writeQuorum', '3');
    await user.untilText(/Qr \+ Qw|must be more than N|too small/);
    assert.equal((await cluster.status()).writeQuorum, 5);
    await user.page.select('#set-readQuorum', '3');
    await user.untilText(/Qr is 3 until the mediator ends/);
  });

  it('runs a story and a table of the report, cell by cell', async () => {
    await cluster.untilState('up');
    await open('faults');
    await user.press('Corrupted replicas');
    await until('the end of the story', async () => (await user.textOf('.run [role=status]')) === 'done');
    const story = await user.textOf('.run');
    assert.match(story, /All replicas are repaired and equal/);
    assert.doesNotMatch(story, /NOT as promised/);
    await user.press('Table 2 Qr 5');
    await user.untilText(/24 of 24 cells found, each as promised/, 60_000);
    await until(
      'the folder of the runs is gone',
      async () => !(await cluster.shell('ls')).stdout.includes('nmrfs-runs'),
    );
  });

  it('is usable by the keyboard alone', async () => {
    await cluster.untilState('up');
    await open('cluster');
    const { keyboard } = user.page;
    const tabTo = async (pattern: RegExp): Promise<void> => {
      for (let tries = 0; tries < 80; tries++) {
        await keyboard.press('Tab');
        if (pattern.test(await user.ask(FOCUSED))) return;
      }
      assert.fail(`no Tab leads to ${pattern}`);
    };
    await tabTo(/^Files$/);
    await keyboard.press('Enter');
    await user.untilText(/four\.bin/);
    await tabTo(/^four\.bin$/);
    await keyboard.press('Enter');
    await user.page.waitForSelector('[data-row="3"] .cell.agrees');
    await tabTo(/^data1: agrees$/);
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 'Enter'] as const) await keyboard.press(key);
    await user.untilText(/Block 2\s.*All five agree/s);
    assert.equal(await user.ask(FOCUSED), 'data2: agrees');
  });

  it('shows whatever a file is called as text', async () => {
    await mustRun(`cd dir && touch '${MARKUP.replaceAll('/', '')}' ${LONGEST} $'\\xff\\xfe odd' '${RIGHT_TO_LEFT}'`);
    await open('files/dir');
    await user.untilText(/\\xff\\xfe odd/);
    const names = await user.page.$$eval('.folder tbody th', (cells) => cells.map(({ textContent }) => textContent));
    assert.deepEqual(names.toSorted(), [MARKUP, LONGEST, '\\xff\\xfe odd', '\\u{202e}gnp.exe'].toSorted());
    assert.equal(await user.page.$('main img, main b:not(.key b)'), null);
    await user.page.click('.folder tbody tr a[href*="%ff"]');
    await user.untilText(/The file is empty/);
  });

  it('stays smooth with a file of 100,000 blocks', async () => {
    await mustRun('truncate -s 13107200000 large.bin; echo end >> large.bin');
    await open('files/large.bin');
    await user.untilText(/100,001 blocks/);
    await user.page.waitForSelector('[data-row="0"] .cell.hole');
    const worstMs = await user.ask<number>(SCROLL_THROUGH);
    assert.ok(worstMs < 500, `a frame took ${worstMs} ms`);
    await user.page.waitForSelector('[data-row="100000"] .cell.agrees');
    assert.ok((await user.page.$$('.grid-row')).length < 100);
  });

  for (const [name, width, height, scheme] of [
    ['a phone', 360, 640, 'light'],
    ['a projector', 1920, 1080, 'dark'],
  ] as const) {
    it(`fits ${name}, without serious findings of axe`, async () => {
      await user.size(width, height);
      await user.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await open('cluster');
      for (const view of VIEWS) {
        await user.ask(`location.hash = ${JSON.stringify(`/${view}`)}`);
        await user.page.waitForSelector('main h1');
        assert.equal(await user.isTooWide(), false, view);
        assert.deepEqual(await user.findings(), [], view);
      }
      await user.page.emulateMediaFeatures([]);
      await user.size(1280, 900);
    });
  }

  it("points to the active mediator from a standby's page", async () => {
    await open('cluster', 1);
    await user.untilText(/mediator\d is a standby/);
    const link = await user.page.$eval('.notice a', (anchor) => anchor.getAttribute('href'));
    assert.equal(link, `${addresses[0]}#/cluster`);
    await user.untilText(/data5/);
  });

  it('says that the connection is lost, and catches up', async () => {
    const beside = await user.browser.newPage();
    await beside.goto(`${addresses[1]}#/files/a.txt`);
    await beside.waitForSelector('::-p-text(ask the active one)');
    await user.page.bringToFront();
    await open('cluster');
    const name = (await cluster.status()).mediators.find(({ state }) => state === 'active')?.name ?? '';
    const pid = await cluster.pidOf(name);
    // A stopped one can't be active again before the other one is.
    process.kill(pid, 'SIGSTOP');
    try {
      await user.untilText(/has not been heard of since/);
      // A page of the one that is active meanwhile asks again by itself.
      await beside.bringToFront();
      await beside.waitForSelector('.grid [data-row="0"] .cell.agrees', { timeout: 60_000 });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await user.page.bringToFront();
    await user.untilText(/is a standby.*active mediator/s, 60_000);
    await user.untilText(/✓\s*live/);
  });
});
