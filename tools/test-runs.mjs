// Runs of mocha, alone or several side by side, and the checks beside them. A run that ends without totals, or badly after good
// tests, counts as a failure more.
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, tool } from './prepare.mjs';

const TESTS = join('dist', 'test');
/** One more than there are processors: most end-to-end tests wait for servers, while the others compute. Two more took no less time. */
const LANES = availableParallelism() + 1;
/** Each file of these folders is a run of its own; the files of any other layer, or folder of unit, share one. */
const BY_FILE = ['end-to-end', 'end-to-end/programs', 'unit/cli'];
const CHECKS = { name: 'checks', program: process.execPath, parameters: [join('tools', 'checks.mjs')] };
/** What takes longest begins first, so that no run goes on alone at the end. Whatever is not named here comes after. */
const LONGEST_FIRST = [
  'simulation',
  'conformance',
  'end-to-end/real-tree',
  'end-to-end',
  'end-to-end/chaos',
  'end-to-end/programs/load',
  'end-to-end/programs/databases',
  'end-to-end/etcd',
  'end-to-end/several-mounts',
  'end-to-end/lost-servers',
  'end-to-end/lost-leaders',
  'end-to-end/page',
  'end-to-end/replay',
  'unit/cli/up-readiness',
  'end-to-end/large-directory',
  'unit/metaserver',
  'end-to-end/random-files',
  'end-to-end/lost-mediators',
  'end-to-end/mounting-signals',
  'end-to-end/added-metaservers',
  'unit/cli/up',
  'end-to-end/programs/git',
  'end-to-end/faults',
  'end-to-end/programs/builds',
  'end-to-end/healthy',
  'unit/dataserver',
  'unit/mediator',
  'unit/cli/command-line',
  'unit/protocol',
];

const running = new Set();
let isStopped = false;

/** A terminal interrupts mocha too, which then ends what it has started; whoever terminates this process alone does not. */
function stop(signal) {
  isStopped = true;
  if (signal === 'SIGTERM') for (const child of running) child.kill('SIGINT');
}

/** One run, with its output shown as it comes; answers how many tests passed, failed and were skipped. */
export function runAlone(parameters) {
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return runProgram(tool('mocha'), parameters, 'inherit');
}

/** All tests. The output of a run is shown whole when it ends, and what failed again at the end. */
export async function runSideBySide() {
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const waiting = allRuns();
  const totals = { passed: 0, failed: 0, skipped: 0 };
  const bad = [];
  const takeTheNext = async (lane) => {
    for (let next = waiting.shift(); next !== undefined && !isStopped; next = waiting.shift()) {
      const ended = await runOne(next, `${lane}/${LANES}`);
      for (const count of Object.keys(totals)) totals[count] += ended[count];
      for (const failure of ended.failures) bad.push(`${next.name}: ${failure}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, lane) => takeTheNext(lane)));
  for (const failure of bad) process.stdout.write(`FAILED  ${failure}\n`);
  if (isStopped && totals.failed === 0) totals.failed = 1;
  return totals;
}

/** What a run leaves behind could hold a pipe open for ever; a file it can't. */
async function runOne({ name, program, parameters }, lane) {
  const folder = mkdtempSync(join(tmpdir(), 'nmrfs-output-'));
  const path = join(folder, 'output');
  const output = openSync(path, 'a');
  const startedMs = Date.now();
  const totals = await runProgram(program, parameters, ['ignore', output, output], { NMRFS_TEST_LANE: lane });
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  closeSync(output);
  process.stdout.write(`\n${name}, ${seconds} s\n${readFileSync(path, 'utf8')}`);
  rmSync(folder, { recursive: true });
  return totals;
}

/** In the order in which they begin. */
function allRuns() {
  const runs = new Map();
  for (const path of readdirSync(join(root, TESTS), { recursive: true }).sort()) {
    if (!path.endsWith('.test.js')) continue;
    const name = runOf(path);
    runs.set(name, [...(runs.get(name) ?? []), join(TESTS, path)]);
  }
  const place = ({ name }) => (LONGEST_FIRST.includes(name) ? LONGEST_FIRST.indexOf(name) : LONGEST_FIRST.length);
  const tests = [...runs].map(([name, files]) => ({ name, program: tool('mocha'), parameters: files }));
  return [CHECKS, ...tests].sort((one, other) => place(one) - place(other));
}

/** The name of the run that a test file belongs to. */
function runOf(path) {
  const folders = path.split('/').slice(0, -1);
  if (BY_FILE.includes(folders.join('/'))) return path.replace(/\.test\.js$/, '');
  return folders.slice(0, folders[0] === 'unit' ? 2 : 1).join('/');
}

/** The program leaves its totals in a file. */
async function runProgram(program, parameters, stdio, environment = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'nmrfs-totals-'));
  const file = join(folder, 'totals.json');
  try {
    const child = spawn(program, parameters, {
      cwd: root,
      stdio,
      env: { ...process.env, ...environment, NMRFS_TEST_TOTALS: file },
    });
    running.add(child);
    const status = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
    running.delete(child);
    const totals = JSON.parse(readFileSync(file, 'utf8'));
    if ((status === 0 && !isStopped) || totals.failed > 0) return totals;
    return { ...totals, failed: 1, failures: [isStopped ? 'stopped' : `ended with status ${status}`] };
  } catch (error) {
    process.stderr.write(`no totals were left by ${parameters.join(' ')}: ${error.message}\n`);
    return { passed: 0, failed: 1, skipped: 0, failures: ['left no totals'] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
