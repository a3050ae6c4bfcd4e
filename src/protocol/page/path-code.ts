// Names of files in addresses and requests of the page: the bytes as they are, so
// that those that are no UTF-8 come through as well.
import type { FileName } from '../services/files.js';

/** Letters, digits and what else an address has as it is; all other bytes become %XX. */
export function encodeName(name: FileName): string {
  return name.replace(/[^A-Za-z0-9._~-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** The path of these names below the root, with a slash before each; empty for the root. */
export function encodePath(names: readonly FileName[]): string {
  return names.map((name) => `/${encodeName(name)}`).join('');
}

/** The inverse. What is no byte by itself (a letter that somebody has typed) stands for its bytes in UTF-8. */
export function decodePath(path: string): FileName[] {
  return path
    .split('/')
    .filter((part) => part !== '')
    .map((part) =>
      toBytes(part.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))),
    );
}

/** Text as a name: its UTF-8, one character per byte. */
export function nameOf(text: string): FileName {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function toBytes(text: string): FileName {
  return text.replace(/[\u0100-\uffff]+/g, nameOf);
}
