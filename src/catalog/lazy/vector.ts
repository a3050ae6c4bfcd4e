// Vector timestamps: how many updates of each server one has seen.

/** By the id of the server that made them. */
export type Vector = Readonly<Record<string, number>>;

export function merged(one: Vector, other: Vector): Vector {
  const sum: Record<string, number> = { ...one };
  for (const [server, number] of Object.entries(other)) sum[server] = Math.max(sum[server] ?? 0, number);
  return sum;
}

/** Whether all that `other` has seen is in `one`. */
export function covers(one: Vector, other: Vector): boolean {
  return Object.entries(other).every(([server, number]) => (one[server] ?? 0) >= number);
}

/** Grows with everything that is seen: an update that has seen another one has a greater sum. */
export function sumOf(vector: Vector): number {
  return Object.values(vector).reduce((sum, number) => sum + number, 0);
}

/** a=3,b=5 */
export function vectorText(vector: Vector): string {
  return Object.entries(vector)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([server, number]) => `${server}=${number}`)
    .join(',');
}

/** undefined for what is no vector. */
export function readVector(text: string): Vector | undefined {
  const vector: Record<string, number> = {};
  for (const part of text.split(',')) {
    if (part.trim() === '') continue;
    const match = /^\s*([A-Za-z0-9._/-]{1,200})=(\d{1,15})\s*$/.exec(part);
    if (match?.[1] === undefined) return undefined;
    vector[match[1]] = Number(match[2]);
  }
  return vector;
}
