// The checks that need no running system: formatting and lint with the rules
// on layers, types, and unused code. npm run lint, and the first part of npm test.
import { fileURLToPath } from 'node:url';
import { build, install, run, tool } from './prepare.mjs';

const CHECKS = [
  {
    name: 'biome: format, lint, layers, import cycles, floating promises',
    program: 'biome',
    parameters: ['check', '--error-on-warnings'],
  },
  { name: 'knip: unused files, exports and dependencies', program: 'knip', parameters: ['--no-progress'] },
];

/** Runs all of them; answers how many passed and failed. Types are checked by the build. */
export function runChecks() {
  let passed = 0;
  let failed = 0;
  for (const { name, program, parameters } of CHECKS) {
    const fits = run(tool(program), parameters);
    process.stdout.write(`${fits ? 'passed' : 'FAILED'}  ${name}\n`);
    passed += fits ? 1 : 0;
    failed += fits ? 0 : 1;
  }
  return { passed, failed };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = install() && build() && runChecks().failed === 0 ? 0 : 1;
}
