// The files of the page, as the build has left them beside the compiled program.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PageFile, PageFiles } from '../protocol/page/page-face.js';

/** Relative to dist/src/cli. */
const FOLDER = fileURLToPath(new URL('../../page', import.meta.url));
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.recordings': 'application/octet-stream',
};

export async function loadPage(): Promise<PageFiles> {
  const names = (await readdir(FOLDER)).filter((name) => extname(name) in TYPES);
  const loaded = names.map(async (name): Promise<[string, PageFile]> => {
    const content = await readFile(join(FOLDER, name));
    const tag = createHash('sha256').update(content).digest('base64url').slice(0, 16);
    return [name, { type: TYPES[extname(name)] ?? 'application/octet-stream', content, tag }];
  });
  return new Map(await Promise.all(loaded));
}
