// Makes of the compiled command and the packages that it uses a few files, in dist/bundle: a process loads them in two thirds of the
// time that it takes to find and read some four hundred.
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Packages that find files of their own beside their code. Of zod, which is imported as a namespace, the bundle has only what is used:
 * its sentences in fifty languages are not.
 */
const EXTERNAL = ['fuse-native', 'koffi', 'lmdb', 'msgpackr', 'xxhash-wasm'];
const PACKAGE = /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//;
/** What is CommonJS asks for Node's modules by `require`. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Code of the page's that is not ours. */
const PAGE_PACKAGES = ['preact', 'uplot'];
const PAGE_FILES = ['index.html', 'icon.svg', 'protocols.recordings'];

/** Of dist/src. Rejects when something does not fit together. */
export async function bundleCommand(root) {
  // Not there before the packages are installed.
  const { build } = await import('esbuild');
  const target = join(root, 'dist', 'bundle');
  rmSync(target, { recursive: true, force: true });
  const options = {
    entryPoints: [join(root, 'dist', 'src', 'cli', 'main.js')],
    // As deep as what it is made of.
    outdir: join(target, 'cli'),
    external: EXTERNAL,
    banner: { js: REQUIRE },
    ...{ bundle: true, splitting: true, platform: 'node', format: 'esm', target: 'node20', charset: 'utf8' },
    ...{ absWorkingDir: root, metafile: true, logLevel: 'warning' },
  };
  const { metafile } = await build(options);
  const names = Object.keys(metafile.inputs).map((input) => PACKAGE.exec(input)?.[1]);
  const packages = [...new Set(names.filter((name) => name !== undefined))].sort();
  writeLicenses(target, packages, root);
}

/** Makes of the page's code the few files that servers send to browsers, in dist/page. */
export async function bundlePage(root, folder) {
  const { build } = await import('esbuild');
  const target = join(root, 'dist', 'page');
  await build({
    entryPoints: [join(folder, 'main.tsx')],
    outfile: join(target, 'app.js'),
    ...{ bundle: true, minify: true, format: 'iife', target: 'es2022', charset: 'utf8', logLevel: 'warning' },
    ...{ jsx: 'automatic', jsxImportSource: 'preact' },
  });
  for (const name of PAGE_FILES) copyFileSync(join(folder, name), join(target, name));
  writeLicenses(target, PAGE_PACKAGES, root);
}

/** The code of these packages is in what is shipped, and their licenses ask for this. */
function writeLicenses(folder, packages, root) {
  const texts = packages.map(
    (name) => `These files contain code of ${name}:\n\n${licenseOf(join(root, 'node_modules', name))}`,
  );
  writeFileSync(join(folder, 'LICENSES.txt'), texts.join('\n\n'));
}

function licenseOf(folder) {
  const file = existsSync(folder) ? readdirSync(folder).find((name) => /^licen[cs]e/i.test(name)) : undefined;
  if (file !== undefined) return readFileSync(join(folder, file), 'utf8');
  const { license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${license}, by ${typeof author === 'string' ? author : author?.name}`;
}
