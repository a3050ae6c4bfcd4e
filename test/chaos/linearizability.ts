// Whether what several clients saw of a register could have come from one that does one thing at a time: the search of Wing and
// Gong, which remembers the states that led nowhere (Lowe, «Testing for linearizability», 2017).

/** Times are of one clock, in any unit. */
export interface RegisterOperation {
  kind: 'read' | 'write';
  /** What was read or written. */
  value: number;
  called: number;
  /** Infinity for a write of which no answer came: it may take effect at any later time, or never. */
  returned: number;
}

export interface Verdict {
  isLinearizable: boolean;
  /** Where it is not: what could not be placed, with all that overlapped it. */
  stuck: RegisterOperation[];
}

interface Entry {
  id: number;
  operation: RegisterOperation;
  isCall: boolean;
  previous: Entry | null;
  next: Entry | null;
  /** Of a call: its return. */
  match: Entry | null;
}

/** @param initial the value before the first write */
export function checkRegister(operations: readonly RegisterOperation[], initial: number): Verdict {
  const head = linked(operations);
  const placed = new Placed(operations.length);
  const dead = new Set<string>();
  const chosen: { call: Entry; before: number }[] = [];
  let value = initial;
  let furthest = Number.NEGATIVE_INFINITY;
  for (let entry = head.next; entry !== null; ) {
    if (entry.isCall) {
      const after = outcome(entry.operation, value);
      const isNews = after !== undefined && placed.put(entry.id) && !dead.has(placed.key(after));
      if (isNews) {
        dead.add(placed.key(after));
        chosen.push({ call: entry, before: value });
        value = after;
        lift(entry);
        entry = head.next;
      } else {
        placed.take(entry.id);
        entry = entry.next;
      }
      continue;
    }
    // It has returned, and could not be placed: an earlier choice was wrong.
    furthest = Math.max(furthest, entry.operation.returned);
    const wrong = chosen.pop();
    if (wrong === undefined) return { isLinearizable: false, stuck: around(operations, furthest) };
    value = wrong.before;
    placed.take(wrong.call.id);
    unlift(wrong.call);
    entry = wrong.call.next;
  }
  return { isLinearizable: true, stuck: [] };
}

/** The value afterwards; undefined where the register could not have answered so. */
function outcome({ kind, value }: RegisterOperation, before: number): number | undefined {
  if (kind === 'write') return value;
  return value === before ? before : undefined;
}

/** Calls and returns in the order of time; of equal times calls come first, so that these operations overlap. */
function linked(operations: readonly RegisterOperation[]): Entry {
  const bare = { previous: null, next: null, match: null };
  const pairs = operations.map((operation, id) => ({
    call: { id, operation, isCall: true, ...bare } as Entry,
    end: { id, operation, isCall: false, ...bare } as Entry,
  }));
  for (const { call, end } of pairs) call.match = end;
  const entries = pairs
    .flatMap(({ call, end }) => [call, end])
    .sort((one, other) => timeOf(one) - timeOf(other) || Number(other.isCall) - Number(one.isCall));
  const head: Entry = { id: -1, operation: { kind: 'read', value: 0, called: 0, returned: 0 }, isCall: true, ...bare };
  let last = head;
  for (const entry of entries) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

/** Those without an answer are equally late, where a difference would be no number. */
function timeOf({ isCall, operation: { called, returned } }: Entry): number {
  return isCall ? called : Math.min(returned, Number.MAX_VALUE);
}

/** Takes a call and its return out of the list; both remember where they were. */
function lift(call: Entry): void {
  for (const entry of [call, call.match]) {
    if (entry === null) continue;
    if (entry.previous !== null) entry.previous.next = entry.next;
    if (entry.next !== null) entry.next.previous = entry.previous;
  }
}

/** In the opposite order of `lift`. */
function unlift(call: Entry): void {
  for (const entry of [call.match, call]) {
    if (entry === null) continue;
    if (entry.previous !== null) entry.previous.next = entry;
    if (entry.next !== null) entry.next.previous = entry;
  }
}

/** All that overlaps the operation which ended then, in the order of their calls. */
function around(operations: readonly RegisterOperation[], endTime: number): RegisterOperation[] {
  const stuck = operations.find(({ returned }) => returned === endTime);
  if (stuck === undefined) return [];
  return operations
    .filter(({ called, returned }) => called <= stuck.returned && returned >= stuck.called)
    .sort((one, other) => one.called - other.called);
}

/** Which operations have their place. */
class Placed {
  readonly #words: Uint32Array;

  constructor(size: number) {
    this.#words = new Uint32Array(Math.ceil(size / 32));
  }

  put(id: number): true {
    this.#words[id >>> 5] = (this.#words[id >>> 5] ?? 0) | (1 << (id & 31));
    return true;
  }

  take(id: number): void {
    this.#words[id >>> 5] = (this.#words[id >>> 5] ?? 0) & ~(1 << (id & 31));
  }

  /** Of the state that these and the register's value are. */
  key(value: number): string {
    return `${value} ${Buffer.from(this.#words.buffer).toString('latin1')}`;
  }
}
