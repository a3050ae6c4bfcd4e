// npm test: installs, builds, checks, and runs every test. The last line says
// how many passed, failed and were skipped. Arguments go to mocha, for some of
// the tests: a file of dist/test, or --grep.
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChecks } from './checks.mjs';
import { build, install, run, tool } from './prepare.mjs';

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

/** Runs mocha; a run that ends without totals, or badly after good tests, counts as a failure more. */
function runTests(parameters) {
  const folder = mkdtempSync(join(tmpdir(), 'nmrfs-totals-'));
  const file = join(folder, 'totals.json');
  try {
    const succeeded = run(tool('mocha'), withFiles(parameters), { env: { ...process.env, NMRFS_TEST_TOTALS: file } });
    const totals = JSON.parse(readFileSync(file, 'utf8'));
    return succeeded || totals.failed > 0 ? totals : { ...totals, failed: 1 };
  } catch (error) {
    process.stderr.write(`mocha left no totals: ${error.message}\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function main() {
  if (!install() || !build() || !mountsAreAsExpected()) {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const checks = runChecks();
  const tests = runTests(process.argv.slice(2));
  return {
    passed: checks.passed + tests.passed,
    failed: checks.failed + tests.failed,
    skipped: tests.skipped,
  };
}

conclude(main());
