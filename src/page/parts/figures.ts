// Figures as people read them.

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const BRIEF = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const TENTHS = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** 12,345 */
export function countText(count: number): string {
  return WHOLE.format(count);
}

/** The same where there is little room: 12,345 and 12.3M */
export function briefText(count: number): string {
  return count < 1_000_000 ? WHOLE.format(count) : BRIEF.format(count);
}

/** 3.4 MiB */
export function sizeText(bytes: number): string {
  let unit = 0;
  let size = bytes;
  for (; size >= 1024 && unit < UNITS.length - 1; unit++) size /= 1024;
  return `${unit === 0 || size >= 100 ? WHOLE.format(size) : TENTHS.format(size)} ${UNITS[unit]}`;
}

/** 0.34, 3.4, 34, 1,234 */
export function rateText(rate: number): string {
  if (rate === 0) return '0';
  if (rate < 1) return rate.toPrecision(rate < 0.1 ? 1 : 2);
  return rate < 10 ? TENTHS.format(rate) : WHOLE.format(rate);
}

/** 0.34 ms, 34 ms, 3.4 s, 5 min, 3 h */
export function durationText(ms: number): string {
  if (ms < 10) return `${rateText(ms)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${TENTHS.format(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${TENTHS.format(ms / 3_600_000)} h`;
}

/** 14:03:05, with the day where that is not today */
export function timeText(timeMs: number, withMs = false): string {
  const time = new Date(timeMs);
  const clock = time.toTimeString().slice(0, 8) + (withMs ? `.${String(time.getMilliseconds()).padStart(3, '0')}` : '');
  return time.toDateString() === new Date().toDateString() ? clock : `${dayText(time)} ${clock}`;
}

function dayText(time: Date): string {
  const two = (number: number) => String(number).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}
