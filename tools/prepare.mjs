// Brings a working copy to the point where it can run: dependencies installed,
// TypeScript compiled, what is shipped bundled. Skips what is up to date. Uses nothing but Node, since a
// fresh clone has nothing else yet.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleCommand, bundlePage } from './bundle.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCE_FOLDERS = ['src', 'test', 'tools'];
/** What a browser runs; compiled and bundled apart from the rest. */
const PAGE = join(root, 'src', 'page');

/** Runs a program in the project's folder with its output shown; answers whether it succeeded. */
export function run(program, parameters, options = {}) {
  const { status, error } = spawnSync(program, parameters, { cwd: root, stdio: 'inherit', ...options });
  if (error !== undefined) {
    process.stderr.write(`${program}: ${error.message}\n`);
  }
  return status === 0;
}

/** The path of a program that a dependency brings. */
export function tool(name) {
  return join(root, 'node_modules', '.bin', name);
}

/** Installs what the lockfile says when nothing is installed, or the lockfile is newer. Fails when it does not fit package.json. */
export function install() {
  const stamp = join(root, 'node_modules', '.package-lock.json');
  const lockfile = join(root, 'package-lock.json');
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lockfile).mtimeMs) {
    linkCommand();
    return true;
  }
  if (!run('npm', ['ci', '--no-audit', '--no-fund'], { stdio: ['ignore', 2, 2] })) {
    return false;
  }
  linkCommand();
  return true;
}

/** Lets `npx nmrfs` find this working copy's command at once, without installing it somewhere first. */
function linkCommand() {
  const link = join(root, 'node_modules', '.bin', 'nmrfs');
  if (!existsSync(link)) {
    rmSync(link, { force: true });
    symlinkSync(join('..', '..', 'bin', 'nmrfs.js'), link);
  }
}

/** Compiles and bundles when a source is newer than the last build. `force` compiles anyway. */
export async function build(force = false) {
  const stamp = join(root, 'dist', '.built');
  const sources = SOURCE_FOLDERS.flatMap((folder) => filesIn(join(root, folder))).filter((file) =>
    file.endsWith('.ts'),
  );
  const inputs = [...sources, ...filesIn(PAGE), join(root, 'tsconfig.json'), join(root, 'package-lock.json')];
  const builtMs = existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
  const removed = removeOrphans(new Set(sources));
  if (!force && !removed && inputs.every((file) => statSync(file).mtimeMs < builtMs)) {
    return true;
  }
  const startedMs = Date.now();
  const parameters = ['-p', '.', '--incremental', '--tsBuildInfoFile', join('dist', '.tsbuildinfo')];
  if (!run(tool('tsc'), parameters) || !run(tool('tsc'), ['-p', PAGE])) {
    return false;
  }
  await bundleCommand(root);
  await bundlePage(root, PAGE);
  writeFileSync(stamp, '');
  // A source that was saved while we compiled is newer than this.
  utimesSync(stamp, new Date(startedMs), new Date(startedMs));
  return true;
}

/** Takes away what was compiled from sources that are gone: a deleted test must not run on. Answers whether there was some. */
function removeOrphans(sources) {
  const orphans = SOURCE_FOLDERS.flatMap((folder) => filesIn(join(root, 'dist', folder))).filter((file) => {
    const source = join(root, file.slice(join(root, 'dist').length)).replace(/\.js(\.map)?$/, '.ts');
    return /\.js(\.map)?$/.test(file) && !sources.has(source);
  });
  for (const orphan of orphans) {
    rmSync(orphan);
  }
  return orphans.length > 0;
}

function filesIn(folder) {
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : [];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const force = process.argv.includes('--force');
  process.exitCode = install() && (await build(force)) ? 0 : 1;
}
