// The checks that need no running system: formatting and lint, the layers, types,
// and unused code. npm run lint, and one of the runs of npm test.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkLayers } from './lint/check-layers.mjs';
import { build, install, root, run, tool } from './prepare.mjs';

const CHECKS = {
  'biome: format, lint, import cycles, floating promises': () => run(tool('biome'), ['check', '--error-on-warnings']),
  'layers: which folder may import which': () => checkLayers(join(root, 'src')),
  'knip: unused files, exports and dependencies': () => run(tool('knip'), ['--no-progress']),
};

/** Runs all of them, and leaves the totals where npm test finds them. Types are checked by the build. */
function runChecks() {
  const failures = [];
  for (const [name, fits] of Object.entries(CHECKS)) {
    const isFit = fits();
    process.stdout.write(`${isFit ? 'passed' : 'FAILED'}  ${name}\n`);
    if (!isFit) failures.push(name);
  }
  const file = process.env.NMRFS_TEST_TOTALS;
  const passed = Object.keys(CHECKS).length - failures.length;
  if (file !== undefined)
    writeFileSync(file, JSON.stringify({ passed, failed: failures.length, skipped: 0, failures }));
  return failures.length === 0;
}

process.exitCode = install() && (await build()) && runChecks() ? 0 : 1;
