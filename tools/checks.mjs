// The checks that need no running system: formatting and lint, the layers, types,
// and unused code. npm run lint, and the first part of npm test.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkLayers } from './lint/check-layers.mjs';
import { build, install, root, run, tool } from './prepare.mjs';

const CHECKS = {
  'biome: format, lint, import cycles, floating promises': () => run(tool('biome'), ['check', '--error-on-warnings']),
  'layers: which folder may import which': () => checkLayers(join(root, 'src')),
  'knip: unused files, exports and dependencies': () => run(tool('knip'), ['--no-progress']),
};

/** Runs all of them; answers how many passed and failed. Types are checked by the build. */
export function runChecks() {
  let passed = 0;
  let failed = 0;
  for (const [name, fits] of Object.entries(CHECKS)) {
    const isFit = fits();
    process.stdout.write(`${isFit ? 'passed' : 'FAILED'}  ${name}\n`);
    passed += isFit ? 1 : 0;
    failed += isFit ? 0 : 1;
  }
  return { passed, failed };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = install() && build() && runChecks().failed === 0 ? 0 : 1;
}
