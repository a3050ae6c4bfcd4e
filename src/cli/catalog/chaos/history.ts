// What clients did and saw, and what must be true of it.
import type { CatalogProtocol } from '../../../catalog/catalog.js';

export interface Operation {
  readonly client: number;
  readonly path: string;
  readonly kind: 'write' | 'read';
  /** Of a write the new one; of a read what was found, null for a path that is not there. */
  readonly value: string | null;
  /** null when the outcome is unknown. */
  readonly version: number | null;
  readonly beganMs: number;
  /** Infinity when the outcome is unknown. */
  readonly endedMs: number;
}

export class History {
  readonly operations: Operation[] = [];

  add(operation: Operation): void {
    this.operations.push(operation);
  }

  /** Versions that were acknowledged, the highest of each path. */
  get acknowledged(): Map<string, number> {
    const highest = new Map<string, number>();
    for (const { kind, path, version } of this.operations) {
      if (kind === 'write' && version !== null) highest.set(path, Math.max(highest.get(path) ?? 0, version));
    }
    return highest;
  }

  /** Those that began and were answered between two times. */
  answeredWithin(fromMs: number, toMs: number): Operation[] {
    return this.operations.filter(
      ({ version, beganMs, endedMs }) => version !== null && beganMs >= fromMs && endedMs <= toMs,
    );
  }

  /** What the protocol does not allow; empty when all is well. */
  problems(protocol: CatalogProtocol): string[] {
    if (protocol === 'lazy') return this.#sessions();
    return protocol === 'quorum' ? this.#freshness() : this.#linearizability();
  }

  /**
   * Why the paths were no registers whose versions grow by one; empty when they were. Versions put all operations on a path in one order,
   * so it is enough that this order is the one of time, and that a version has one value, which somebody wrote.
   */
  #linearizability(): string[] {
    return [...this.#byPath()].flatMap(([path, operations]) => [
      ...versionProblems(path, operations),
      ...orderProblems(path, operations, () => true),
    ]);
  }

  /** Where somebody who began when a write had been answered found less than that one wrote. */
  #freshness(): string[] {
    return [...this.#byPath()].flatMap(([path, operations]) =>
      orderProblems(path, operations, ({ kind }) => kind === 'write'),
    );
  }

  /** Where a client that goes from server to server saw an older version of a path than it had seen. */
  #sessions(): string[] {
    const seen = new Map<string, number>();
    const problems: string[] = [];
    for (const { client, path, version } of this.operations) {
      if (version === null) continue;
      const key = `${client} ${path}`;
      const before = seen.get(key) ?? 0;
      if (version < before)
        problems.push(`sessions: client ${client} sees version ${version} of ${path} after ${before}`);
      seen.set(key, version);
    }
    return problems;
  }

  #byPath(): Map<string, Operation[]> {
    const byPath = new Map<string, Operation[]>();
    for (const operation of this.operations) {
      const others = byPath.get(operation.path);
      if (others === undefined) byPath.set(operation.path, [operation]);
      else others.push(operation);
    }
    return byPath;
  }
}

type Known = Operation & { readonly version: number };

function isKnown(operation: Operation): operation is Known {
  return operation.version !== null;
}

function versionProblems(path: string, operations: readonly Operation[]): string[] {
  const problems: string[] = [];
  const known = operations.filter(isKnown);
  const unknown = new Set(operations.filter((operation) => !isKnown(operation)).map(({ value }) => value));
  const values = new Map<number, string | null>([[0, null]]);
  for (const { version, value } of known) {
    if (!values.has(version)) values.set(version, value);
    if (value !== values.get(version)) problems.push(`linearizable: version ${version} of ${path} has two values`);
  }
  const written = known.filter(({ kind }) => kind === 'write').map(({ version }) => version);
  if (new Set(written).size < written.length) problems.push(`linearizable: a version of ${path} was given twice`);
  for (const [version, value] of values) {
    if (version === 0 || written.includes(version) || unknown.has(value)) continue;
    problems.push(`linearizable: nobody wrote version ${version} of ${path}: ${value}`);
  }
  return problems;
}

/** Who begins when another one has ended sees at least what that one saw; a write sees more. */
function orderProblems(
  path: string,
  operations: readonly Operation[],
  counts: (earlier: Operation) => boolean,
): string[] {
  const byEnd = operations.filter((operation): operation is Known => isKnown(operation) && counts(operation));
  byEnd.sort((one, other) => one.endedMs - other.endedMs);
  const byBegin = operations.filter(isKnown).sort((one, other) => one.beganMs - other.beganMs);
  const problems: string[] = [];
  let ended = 0;
  let highest = 0;
  for (const later of byBegin) {
    for (let next = byEnd[ended]; next !== undefined && next.endedMs < later.beganMs; next = byEnd[++ended]) {
      highest = Math.max(highest, next.version);
    }
    const least = later.kind === 'write' ? highest + 1 : highest;
    if (later.version >= least) continue;
    const words = `${later.kind} of version ${later.version} of ${path} at ${Math.round(later.beganMs)} ms, after ${highest}`;
    problems.push(`order: ${words}`);
  }
  return problems;
}
