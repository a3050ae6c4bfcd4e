// Scales of a chart: where a value lies, and which values are named along it.

export interface Scale {
  /** From 0 at the low end to 1 at the high one. */
  place(value: number): number;
  ticks: number[];
}

/** From zero to a round number above all values. */
export function linearScale(values: readonly number[]): Scale {
  const highest = Math.max(...values);
  const step = roundStep(highest / 4);
  const top = Math.max(step, Math.ceil(highest / step) * step);
  const count = Math.round(top / step);
  const ticks = Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(12)));
  return { place: (value) => value / top, ticks };
}

/** Logarithmic, between two of 1, 2, 5, 10, 20 …; fewer of them are named where it spans much. Values are above zero. */
export function logScale(values: readonly number[]): Scale {
  const steps = roundNumbers(Math.min(...values), Math.max(...values));
  const [low = 1] = steps;
  const high = steps.at(-1) ?? 10;
  const decades = Math.log10(high / low);
  const isNamed = (value: number) => decades <= 2.5 || Number.isInteger(Number(Math.log10(value).toFixed(9)));
  return {
    place: (value) => Math.log(value / low) / Math.log(high / low),
    ticks: steps.filter(isNamed),
  };
}

/** Along the bottom: the measured points themselves, with some room at both ends. */
export function pointScale(points: readonly number[], kind: 'linear' | 'log'): Scale {
  const along = kind === 'log' ? Math.log : (value: number) => value;
  const low = along(Math.min(...points));
  const span = along(Math.max(...points)) - low;
  const MARGIN = 0.06;
  const share = (value: number) => (span === 0 ? 0.5 : (along(value) - low) / span);
  return { place: (value) => MARGIN + (1 - 2 * MARGIN) * share(value), ticks: [...points] };
}

/** All of 1, 2, 5, 10 … from the last that is no higher than `low` to the first that is no lower than `high`. */
function roundNumbers(low: number, high: number): number[] {
  const numbers: number[] = [];
  for (let exponent = Math.floor(Math.log10(low)); ; exponent++) {
    for (const digit of [1, 2, 5]) {
      const value = Number((digit * 10 ** exponent).toPrecision(3));
      const previous = numbers.at(-1);
      if (previous !== undefined && previous >= high && numbers.length > 1) return numbers;
      if (value <= low) numbers.length = 0;
      numbers.push(value);
    }
  }
}

/** 1, 2 or 5 times a power of ten, the first that is no smaller. */
function roundStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= atLeast * 0.999) ?? 10 * power;
}
