// Numbers as pictures and tables show them.

/** 1,000,000 as 1 M; whole numbers of thousands and millions only. */
export function formatCount(count: number): string {
  if (count >= 1e6) return `${count / 1e6} M`;
  return count >= 1e3 ? `${count / 1e3} k` : String(count);
}

export function formatBytes(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 2 ** 10} KiB`;
}

/** Three digits. */
export function formatFigure(value: number): string {
  if (Number.isNaN(value)) return '–';
  if (value >= 1000) return Number(value.toPrecision(3)).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}
