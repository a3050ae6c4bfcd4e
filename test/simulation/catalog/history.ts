// What clients did and saw, and what must be true of it.
import assert from 'node:assert/strict';

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

  /**
   * Whether each path was one register whose versions grow by one. Versions put all operations on a path in one order, so it is enough
   * that this order is the one of time, and that a version has one value.
   */
  checkLinearizable(): void {
    for (const [path, operations] of this.#byPath()) {
      const values = new Map<number, string | null>([[0, null]]);
      const unknown = operations.filter(({ version }) => version === null).map(({ value }) => value);
      for (const { version, value } of operations) {
        if (version === null) continue;
        if (!values.has(version)) values.set(version, value);
        assert.equal(value, values.get(version), `linearizable: version ${version} of ${path} has two values`);
      }
      const writes = operations.filter(({ kind, version }) => kind === 'write' && version !== null);
      const numbers = writes.map(({ version }) => version);
      assert.equal(new Set(numbers).size, numbers.length, `linearizable: a version of ${path} was given twice`);
      for (const [version, value] of values) {
        const isKnown = version === 0 || numbers.includes(version) || unknown.includes(value);
        assert(isKnown, `linearizable: nobody wrote version ${version} of ${path}: ${value}`);
      }
      checkTime(path, operations);
    }
  }

  /** Whoever reads, or writes, when a write has been answered finds at least what that one wrote. */
  checkFresh(): void {
    for (const [path, operations] of this.#byPath()) {
      checkTime(path, operations, (earlier) => earlier.kind === 'write');
    }
  }

  /** A client that goes from server to server never sees an older version of a path than it has seen. */
  checkSessions(): void {
    const seen = new Map<string, number>();
    for (const { client, path, version } of this.operations) {
      if (version === null) continue;
      const key = `${client} ${path}`;
      const before = seen.get(key) ?? 0;
      assert(version >= before, `sessions: client ${client} sees version ${version} of ${path} after ${before}`);
      seen.set(key, version);
    }
  }

  #byPath(): Map<string, Operation[]> {
    const byPath = new Map<string, Operation[]>();
    for (const operation of this.operations) {
      const others = byPath.get(operation.path) ?? [];
      byPath.set(operation.path, [...others, operation]);
    }
    return byPath;
  }
}

/** Who begins when another one has ended sees at least what that one saw; a write sees more. */
function checkTime(
  path: string,
  operations: readonly Operation[],
  counts: (earlier: Operation) => boolean = () => true,
): void {
  const known = operations.filter(
    (operation): operation is Operation & { version: number } => operation.version !== null,
  );
  for (const later of known) {
    for (const earlier of known) {
      if (earlier.endedMs >= later.beganMs || !counts(earlier)) continue;
      const isRight = later.kind === 'write' ? later.version > earlier.version : later.version >= earlier.version;
      const words = `${later.kind} of version ${later.version} of ${path} at ${later.beganMs} ms, after ${earlier.version}`;
      assert(isRight, `order: ${words}`);
    }
  }
}
