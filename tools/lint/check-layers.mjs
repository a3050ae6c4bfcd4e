// Finds imports that the layers forbid. Reads import statements as biome formats
// them; no library does: those for TypeScript stand on an interface that its
// compiler no longer has.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LAYERS, RESERVED } from './layers.mjs';

const IMPORT = /(?:\bfrom|\bimport\(|^import) ?'([^']+)'/gm;

/** Prints what is wrong with the imports of the files in `root`; answers whether nothing is. */
export function checkLayers(root) {
  const paths = readdirSync(root, { recursive: true }).filter((path) => /\.tsx?$/.test(path));
  const faults = paths.flatMap((path) => faultsOf(path, readFileSync(join(root, path), 'utf8')));
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  return faults.length === 0;
}

/** What is wrong with the imports of a file: its path below src, and its text. */
export function faultsOf(path, text) {
  return [...text.matchAll(IMPORT)].flatMap(([, name]) => {
    if (!name.startsWith('.')) {
      return reservedFaults(path, name).map((fault) => `src/${path} imports ${name}: ${fault}`);
    }
    const target = join(dirname(path), name);
    const faults = [...reservedFaults(path, target), ...directionFaults(path, target)];
    return faults.map((fault) => `src/${path} imports src/${target}: ${fault}`);
  });
}

function reservedFaults(path, target) {
  const isOneOf = (names) => names.some((name) => isIn(target, name));
  const isAllowed = (folders) => folders.some((folder) => isIn(path, folder));
  return RESERVED.filter((rule) => isOneOf(rule.names) && !isAllowed(rule.for)).map((rule) => rule.instead);
}

/** Compares both ends in the first folder where their ways part. */
function directionFaults(path, target, folder = '') {
  const rows = LAYERS[folder];
  if (rows === undefined || !isIn(path, folder) || !isIn(target, folder)) return [];
  const from = placeOf(path, folder, rows);
  const to = placeOf(target, folder, rows);
  if (from.name === to.name) return from.name === '.' ? [] : directionFaults(path, target, join(folder, from.name));
  if (to.row < from.row) return [];
  return [`${label(folder, to.name)} is ${to.row === from.row ? 'beside' : 'above'} ${label(folder, from.name)}`];
}

function placeOf(path, folder, rows) {
  const below = folder === '' ? path : path.slice(folder.length + 1);
  const first = below.split('/')[0].replace(/\.(d\.)?[tj]sx?$/, '');
  const row = rows.findIndex((names) => names.includes(first));
  if (row >= 0) return { name: first, row };
  const rest = rows.findIndex((names) => names.includes('.'));
  if (rest < 0) throw new Error(`tools/lint/layers.mjs does not say where ${path} belongs`);
  return { name: '.', row: rest };
}

function isIn(path, folder) {
  return folder === '' || path.replace(/\.[tj]sx?$/, '') === folder || path.startsWith(`${folder}/`);
}

function label(folder, name) {
  return join('src', folder, name === '.' ? '' : name);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src');
  process.exitCode = checkLayers(root) ? 0 : 1;
}
