// npm run bench -- --curves: measures the curves of docs/performance.md one after the other, and writes what is generated of it.
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Figures, RunLength, Stamp } from './figures.js';
import { measureBlocks } from './measured/blocks.js';
import {
  measureBlockSizes,
  measureMetaservers,
  measureMounts,
  measurePrograms,
  measureQuorums,
  measureServers,
} from './measured/clusters.js';
import { measureDirectory } from './measured/directory.js';
import { measureFiles } from './measured/files.js';
import type { Measure } from './measured/measured.js';
import { render } from './render/page.js';
import { PRESENTATIONS } from './render/presentation.js';
import { SIZES } from './sizes.js';

/** From the root of the working copy, where npm runs. */
const PAGE = 'docs/performance.md';
const FOLDER = 'docs/performance';
const FIGURES = join(FOLDER, 'figures.json');

/** `files` gives the curve tree too, `blocks` the curves memory, disk, start and rebuild. */
const MEASURES: Record<string, Measure> = {
  files: measureFiles,
  directory: measureDirectory,
  servers: measureServers,
  quorums: measureQuorums,
  'block-sizes': measureBlockSizes,
  programs: measurePrograms,
  mounts: measureMounts,
  metaservers: measureMetaservers,
  blocks: measureBlocks,
};

export const CURVE_NAMES: readonly string[] = Object.keys(MEASURES);

class Interrupted extends Error {}

/**
 * Writes the page after each curve; those that are not measured stay as they are.
 * @param only of CURVE_NAMES; all when empty
 */
export async function runCurves(length: RunLength, only: readonly string[]): Promise<void> {
  const startMs = performance.now();
  let isInterrupted = false;
  // What is under way comes to its end or fails with its servers, and then nothing is left behind; the second signal ends at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      isInterrupted = true;
    });
  const minutes = () => ((performance.now() - startMs) / 60_000).toFixed(1);
  const chosen = Object.entries(MEASURES).filter(([name]) => only.length === 0 || only.includes(name));
  for (const [name, measure] of chosen) {
    const progress = (what: string) => {
      if (isInterrupted) throw new Interrupted();
      process.stderr.write(`${minutes()} min  ${name}: ${what}\n`);
    };
    const stamp = stampOf(length);
    const measured = await measure(SIZES[length], progress).catch((error: unknown) => {
      if (!isInterrupted) throw error;
      process.stderr.write(`${minutes()} min  interrupted; the curves before ${name} are written\n`);
      process.exitCode = 1;
    });
    if (measured === undefined) return;
    await writeCurves(
      Object.fromEntries(Object.entries(measured).map(([curve, figures]) => [curve, { stamp, ...figures }])),
    );
  }
  process.stderr.write(`${minutes()} min  ${PAGE} is written\n`);
}

/** Writes figures, pictures and tables: those that are measured now, and all others anew from the figures that are there. */
export async function writeCurves(measured: Figures): Promise<void> {
  const figures: Figures = { ...JSON.parse(await readFile(FIGURES, 'utf8')), ...measured };
  await writeFile(FIGURES, figuresText(figures));
  const { page, pictures } = render(await readFile(PAGE, 'utf8'), figures);
  await writeFile(PAGE, page);
  for (const [file, picture] of pictures) await writeFile(join(FOLDER, file), picture);
}

/** One line for each series, and always in the same order, so that a difference can be read. */
function figuresText(figures: Figures): string {
  const curves = Object.keys(PRESENTATIONS).flatMap((curve) => {
    const measured = figures[curve];
    if (measured === undefined) return [];
    const { stamp, points, series } = measured;
    const lines = series.map((each) => `    ${JSON.stringify(each)}`);
    const head = `"stamp":${JSON.stringify(stamp)},"points":${JSON.stringify(points)}`;
    return `  ${JSON.stringify(curve)}: {${head},"series":[\n${lines.join(',\n')}\n  ]}`;
  });
  return `{\n${curves.join(',\n')}\n}\n`;
}

function stampOf(length: RunLength): Stamp {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  return {
    ...{ date, length },
    machine: `${processors.length} × ${model}, ${gibibytes} GiB, Linux ${release()}, Node ${process.versions.node}`,
  };
}
