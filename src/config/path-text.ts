// How a place in the configuration is written in messages and commands.

/** mount.directory, dataservers[0].name; 'the file' for the whole. */
export function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) {
    return 'the file';
  }
  return path
    .map((part, depth) => (typeof part === 'number' ? `[${part}]` : `${depth === 0 ? '' : '.'}${String(part)}`))
    .join('');
}

/** The inverse: mount.directory and dataservers[0].name or dataservers.0.name. */
export function parsePath(text: string): (string | number)[] {
  return text
    .replaceAll(/\[(\d+)\]/g, '.$1')
    .split('.')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}
