// npm run pictures   draws the pictures of the page that the documentation shows:
// a cluster of its own, with programs at work and faults under way.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PageUser } from '../test/support/browser.js';
import { Cluster, until } from '../test/support/cluster.js';

const FOLDER = join('docs', 'page');
const SIZE = { width: 1120, height: 760 };
const PHONE = { width: 390, height: 780 };
/** What the rebuild has to move: enough that it is seen. */
const MEBIBYTES = 300;
const LOAD_MS = 30_000;
/** Leads to when the leader of raft has died. */
const LEADER_DIES = 'a[aria-label^="raft, longest wait"]';
/** Reads and writes at a steady rate until the file `stop` is there. */
const LOAD = `mkdir -p work && cd work && for i in $(seq 1 100000); do
  [ -e ../stop ] && exit
  head -c $((50000 + i % 17 * 30000)) /dev/urandom > part$((i % 40)).bin
  cat part$(((i * 7) % 40)).bin > /dev/null 2>&1
  sleep 0.0$((i % 9))
done`;

async function draw(cluster: Cluster, user: PageUser): Promise<void> {
  const { page } = user;
  const status = await cluster.status();
  const address = `http://${status.mediator.address}/`;
  const open = async (place: string): Promise<void> => {
    await page.goto('about:blank');
    await page.goto(`${address}#/${place}`);
    await page.waitForSelector('main h1');
  };
  const shoot = async (name: string): Promise<void> => {
    await page.screenshot({ path: join(FOLDER, `${name}.png`), optimizeForSpeed: false });
    process.stdout.write(`${join(FOLDER, name)}.png\n`);
  };
  await user.size(SIZE.width, SIZE.height);

  await cluster.corrupt('/report.bin', 'data2');
  await cluster.shell('head -c 300000 report.bin > /dev/null');
  await cluster.command('restart', 'data3', '--blank');
  await open('cluster');
  await until('a rebuild that one sees', async () => /a second.*left/.test(await user.text()));
  await shoot('cluster');
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  await open('files/report.bin?block=25');
  await user.untilText(/data2 holds other bytes/);
  await user.check('data4');
  await user.press('Corrupt');
  await user.untilText(/two of five match the witness/);
  await page.click('[data-row="18"] [data-column="1"]');
  await user.untilText(/Three of five agree/);
  await shoot('files');
  await page.emulateMediaFeatures([]);
  await user.size(PHONE.width, PHONE.height);
  await open('cluster');
  await user.untilText(/Reads survive|Now reads/);
  await shoot('phone');
  await user.size(SIZE.width, SIZE.height);
  await open('events');
  await user.untilText(/replica\.rebuilding/);
  await shoot('events');
  // A block without a quorum would keep the rebuild from its end.
  await cluster.shell('touch stop; rm archive.bin; head -c 4000000 /dev/urandom > report.bin');
  await cluster.untilState('up');
  await open('faults');
  await user.press('Table 4 Qr 3');
  await user.untilText(/Table 4\s+done/, 120_000);
  await page.$eval('.run', (run) => run.scrollIntoView({ block: 'end' }));
  await shoot('faults');
  await open('replay');
  await page.waitForSelector(LEADER_DIES).then((link) => link?.click());
  await page.select('.replay-jump select', 'leader');
  await until('the next leader', async () => {
    await user.press('Next: Change of leader');
    return /is leader in term 2/.test(await user.textOf('.replay-details'));
  });
  await shoot('replay');
}

async function main(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const cluster = await Cluster.start({ servers: 5, metaservers: 3, mediators: 2, writeQuorum: 4 });
  const user = await PageUser.open();
  try {
    await cluster.shell(`head -c ${MEBIBYTES * 1024 * 1024} /dev/urandom > archive.bin`);
    // A rebuild comes to it last.
    await cluster.shell('head -c 4000000 /dev/urandom > report.bin');
    const load = cluster.shell(LOAD);
    await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
    await draw(cluster, user);
    await load;
  } finally {
    await user.close();
    await cluster.destroy();
  }
}

await main();
