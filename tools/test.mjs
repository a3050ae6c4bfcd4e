// npm test: installs, builds, checks, and runs every test. The last line says
// how many passed, failed and were skipped. Arguments go to mocha, for some of
// the tests and no checks: a file of dist/test, or --grep.
import { accessSync, constants } from 'node:fs';
import { build, install } from './prepare.mjs';
import { runAlone, runSideBySide } from './test-runs.mjs';

function conclude({ passed, failed, skipped }) {
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  process.stdout.write(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}\n`);
}

/** In CI a machine that can't mount would skip the very tests that matter. */
function mountsAreAsExpected() {
  if (process.env.CI !== 'true') {
    return true;
  }
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return true;
  } catch (error) {
    process.stderr.write(`CI must be able to mount: ${error.message}\n`);
    return false;
  }
}

/** All tests, unless the arguments name files. */
function withFiles(parameters) {
  return parameters.some((parameter) => parameter.endsWith('.js'))
    ? parameters
    : ['dist/test/**/*.test.js', ...parameters];
}

async function main() {
  if (!install() || !(await build()) || !mountsAreAsExpected()) {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const parameters = process.argv.slice(2);
  return parameters.length === 0 ? runSideBySide() : runAlone(withFiles(parameters));
}

conclude(await main());
