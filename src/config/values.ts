// Values that are written as text: addresses and sizes in the configuration, and
// numbers of things for people.

const KIB = 1024;
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['B', 1],
  ['KIB', KIB],
  ['MIB', KIB * KIB],
]);

/** HOST:PORT or [IPV6]:PORT; undefined when the text is neither. */
export function parseAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

/** Whether only programs on this machine can reach the host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Bytes of 4096, '4096' or '4 KiB'; undefined when it is no size or no whole number of bytes. */
export function parseSize(given: number | string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(String(given).trim());
  const unit = SIZE_UNITS.get((match?.[2] ?? '?').toUpperCase());
  const sizeBytes = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit;
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}

/** A number of bytes for people: 128 KiB, 1.5 GiB. */
export function formatSize(sizeBytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = sizeBytes;
  let unit = 0;
  while (value >= KIB && unit < units.length - 1) {
    value /= KIB;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
