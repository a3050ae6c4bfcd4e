// What memory, disk, a start and a rebuild take while one cluster grows from ten thousand blocks to two million.
import { join } from 'node:path';
import type { BlockKey } from '../../../src/protocol/services/blocks.js';
import { type Cluster, until } from '../../../test/support/cluster.js';
import { type CurveFigures, type ProcessorMs, rounded, type Series } from '../figures.js';
import { BLOCKS_OF_A_FILE, fillBlocks, makeDirectory } from '../fill.js';
import { Servers, spentEach } from '../processor.js';
import type { Services } from '../services.js';
import type { Sizes } from '../sizes.js';
import { Stage } from '../stage.js';
import { allocatedMebibytes, databaseMebibytes, memoryOfServer } from './footprint.js';
import { type Measure, type Progress, USUAL_SERVERS } from './measured.js';
import { timeStart } from './start.js';

const DATA = 'data1';
const META = 'meta1';
const MEDIATOR = 'mediator';
const PAGE = 4096;
const REBUILD_TIMEOUT_MS = 3_600_000;

/** Of each curve. */
const UNITS = { memory: 'MiB', disk: 'MiB', start: 's', rebuild: 's' };

interface Found {
  rounds: number[];
  processorMs?: ProcessorMs[];
}

/** What was found at one point: by the name of the curve, then of the series. */
type Figures = Record<keyof typeof UNITS, Record<string, Found>>;

export const measureBlocks: Measure = (sizes, progress) =>
  Stage.with(async (stage) => {
    const found: Figures[] = [];
    let cluster = await stage.cluster({ servers: USUAL_SERVERS, extraConfig: 'blockSize: 4 KiB' });
    let filled = 0;
    let folder: number | undefined;
    for (const blocks of sizes.blocks) {
      progress(`filling three data servers with ${blocks} blocks each`);
      const services = await stage.services(cluster);
      folder ??= await makeDirectory(services, 'filled');
      await fillBlocks(services, folder, filled, blocks / BLOCKS_OF_A_FILE);
      filled = blocks / BLOCKS_OF_A_FILE;
      await services.sync();
      await services.close();
      await cluster.stop();
      progress(`starting servers with ${blocks} blocks`);
      const start = await timeStarts(cluster, sizes.rounds);
      const disk = await diskOf(cluster);
      cluster = await stage.resume(cluster);
      found.push(
        await measureRunning(await stage.services(cluster), cluster, { blocks, start, disk, sizes, progress }),
      );
    }
    const curveOf = (curve: keyof typeof UNITS): Omit<CurveFigures, 'stamp'> => ({
      points: sizes.blocks,
      series: seriesOf(
        UNITS[curve],
        found.map((each) => each[curve]),
      ),
    });
    return { memory: curveOf('memory'), disk: curveOf('disk'), start: curveOf('start'), rebuild: curveOf('rebuild') };
  });

interface Sofar {
  blocks: number;
  start: Figures['start'];
  disk: Figures['disk'];
  sizes: Sizes;
  progress: Progress;
}

async function measureRunning(services: Services, cluster: Cluster, sofar: Sofar): Promise<Figures> {
  const { blocks, start, disk, sizes, progress } = sofar;
  progress(`walking over ${blocks} blocks`);
  await walk(services, blocks);
  const servers = await Servers.of(cluster.configFile);
  const memory: Figures['memory'] = {};
  for (const [name, title] of [
    [DATA, 'a data server'],
    [META, 'the metaserver'],
    [MEDIATOR, 'the mediator'],
  ] as const) {
    const { own, mapped } = await memoryOfServer(servers, name);
    memory[`${title}, its own`] = { rounds: [own] };
    memory[`${title}, mapped files`] = { rounds: [mapped] };
  }
  await services.close();
  if (blocks > sizes.rebuiltBlocks) return { memory, disk, start, rebuild: {} };
  progress(`rebuilding a data server of ${blocks} blocks`);
  return { memory, disk, start, rebuild: { 'a blank data server': await timeRebuild(cluster, blocks) } };
}

/** Touches each row of DATA's index and of the metaserver's block maps once: what memory they take for their blocks, they have then. */
async function walk({ dataservers: [dataserver], metadata }: Services, blocks: number): Promise<void> {
  let seen = 0;
  for (let after: BlockKey | undefined; dataserver !== undefined; ) {
    const page = await dataserver.list({ limit: PAGE, ...(after === undefined ? {} : { after }) });
    seen += page.entries.length;
    if (page.next === undefined) break;
    after = page.next;
  }
  if (seen !== blocks) throw new Error(`${DATA} has ${seen} blocks instead of ${blocks}`);
  for (let after: { inode: number; index: number } | undefined; ; ) {
    const request = { limit: PAGE, ...(after === undefined ? {} : { after }) };
    const page = await metadata.query({ name: 'allBlocks', request });
    const last = page.blocks.at(-1);
    if (page.done || last === undefined) break;
    after = { inode: last.inode, index: last.index };
  }
}

async function timeStarts(cluster: Cluster, rounds: number): Promise<Figures['start']> {
  const start: Figures['start'] = {};
  for (const [name, kind, id, ending] of [
    ['a data server', 'data', DATA, 'orderly'],
    ['a data server after a reboot', 'data', DATA, 'rebooted'],
    ['the metaserver', 'meta', META, 'orderly'],
  ] as const) {
    start[name] = { rounds: [] };
    // A whole log is read only once: that takes a minute with two million blocks.
    const times = ending === 'rebooted' ? 1 : rounds;
    for (let round = 0; round < times; round++)
      start[name].rounds.push(rounded(await timeStart(cluster, kind, id, ending)));
  }
  return start;
}

/** Seconds from the order until the server holds all blocks again; processor time a block, without that of the new process's start. */
async function timeRebuild(cluster: Cluster, blocks: number): Promise<Found> {
  const startMs = performance.now();
  await cluster.restart(DATA, { blank: true });
  const servers = await Servers.of(cluster.configFile);
  const before = await servers.spent();
  const isUp = async () => (await cluster.status()).dataservers.every(({ state }) => state === 'up');
  await until(`${DATA} is rebuilt`, isUp, REBUILD_TIMEOUT_MS);
  const seconds = (performance.now() - startMs) / 1000;
  const processorMs = [spentEach(before, await servers.spent(), blocks)];
  return { rounds: [rounded(seconds)], processorMs };
}

/** Of the stopped cluster. */
async function diskOf({ folder }: Cluster): Promise<Figures['disk']> {
  const found = async (mebibytes: Promise<number>) => ({ rounds: [await mebibytes] });
  return {
    'log of a data server': await found(allocatedMebibytes(join(folder, 'data', DATA, 'segments'))),
    'index of a data server': await found(databaseMebibytes(join(folder, 'data', DATA, 'index'))),
    'database of the metaserver': await found(databaseMebibytes(join(folder, 'data', META))),
  };
}

function seriesOf(unit: string, points: readonly Record<string, Found>[]): Series[] {
  const names = [...new Set(points.flatMap((point) => Object.keys(point)))];
  return names.map((name) => {
    const series = { name, unit, rounds: points.map((point) => point[name]?.rounds ?? []) };
    const hasProcessor = points.some((point) => point[name]?.processorMs !== undefined);
    return hasProcessor ? { ...series, processorMs: points.map((point) => point[name]?.processorMs ?? []) } : series;
  });
}
