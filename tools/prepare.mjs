// Brings a working copy to the point where it can run: dependencies installed,
// TypeScript compiled. Skips what is up to date. Uses nothing but Node, since a
// fresh clone has nothing else yet.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCE_FOLDERS = ['src', 'test', 'tools'];
/** What a browser runs; compiled and bundled apart from the rest. */
const PAGE = join(root, 'src', 'page');
const PAGE_PACKAGES = ['preact', 'uplot'];

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

/** Compiles when a source is newer than the last build. `force` compiles anyway. */
export function build(force = false) {
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
  if (!run(tool('tsc'), parameters) || !bundlePage()) {
    return false;
  }
  writeFileSync(stamp, '');
  // A source that was saved while we compiled is newer than this.
  utimesSync(stamp, new Date(startedMs), new Date(startedMs));
  return true;
}

/** Checks the page's code, and makes of it the few files that servers send to browsers, in dist/page. */
function bundlePage() {
  const target = join(root, 'dist', 'page');
  const parameters = [
    '--bundle',
    '--minify',
    '--format=iife',
    '--target=es2022',
    '--charset=utf8',
    '--log-level=warning',
  ];
  const jsx = ['--jsx=automatic', '--jsx-import-source=preact'];
  const entry = [join(PAGE, 'main.tsx'), `--outfile=${join(target, 'app.js')}`];
  if (!run(tool('tsc'), ['-p', PAGE]) || !run(tool('esbuild'), [...entry, ...parameters, ...jsx])) {
    return false;
  }
  mkdirSync(target, { recursive: true });
  for (const name of ['index.html', 'icon.svg', 'protocols.recordings']) {
    copyFileSync(join(PAGE, name), join(target, name));
  }
  // Their code is in the bundle, and their licenses ask for this.
  const licenses = PAGE_PACKAGES.map((name) => {
    const text = readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8');
    return `app.js contains code of ${name}:\n\n${text}`;
  });
  writeFileSync(join(target, 'LICENSES.txt'), licenses.join('\n\n'));
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
  process.exitCode = install() && build(force) ? 0 : 1;
}
