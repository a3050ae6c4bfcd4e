// Checks one folder that one client alone changes, one request after the
// other: every answer must fit a state that is possible, and a crash of the
// metaserver may lose no more than a tail of what no sync has covered, and
// nothing where an fsync's verifier says so afterwards.
import { Contradiction } from './file-history.js';

export type NameRequest =
  | { kind: 'create'; name: string; exclusive: boolean }
  | { kind: 'unlink'; name: string }
  | { kind: 'link'; inode: number; name: string }
  | { kind: 'rename'; name: string; newName: string; mode: 'replace' | 'no-replace' | 'exchange' }
  | { kind: 'lookup'; name: string }
  | { kind: 'list' };

/** What was answered: an errno, or what is to be known of a success. */
export type NameAnswer =
  | { state: 'error'; code: string }
  | { state: 'done'; inode?: number; created?: boolean; entries?: ReadonlyMap<string, number> };

type Names = ReadonlyMap<string, number>;

/** States in order, the first one durable for sure, the last one current. */
interface Trail {
  steps: readonly { names: Names; answeredAt: number }[];
  /** A crash has undone something that was answered since a verifier was seen. */
  lost: boolean;
}

export class NamespaceHistory {
  #trails: Trail[] = [{ steps: [{ names: new Map(), answeredAt: 0 }], lost: false }];
  /** Counts answers, so that a sync can say which of them it covers. */
  #answers = 0;
  /** The request that is under way, if any, and whether the metaserver has crashed meanwhile, or before while the mediator remembered. */
  #current: { request: NameRequest; crashed: boolean; fromMemory: boolean } | null = null;
  /** The metaserver has crashed, and the mediator still remembers what it was told before. */
  #mediatorRemembers = false;

  constructor(readonly client: string) {}

  /** A mark for `synced`: what was answered before now. */
  get mark(): number {
    return this.#answers;
  }

  /** The names as they are in one of the possible states. */
  get likelyNames(): Names {
    const [trail] = this.#trails;
    return trail === undefined ? new Map() : current(trail);
  }

  /** Whether the inode may have no name any more. */
  mayLack(inode: number): boolean {
    return this.#trails.some((trail) => ![...current(trail).values()].includes(inode)) || this.#current !== null;
  }

  starts(request: NameRequest): void {
    this.#current = { request, crashed: false, fromMemory: this.#mediatorRemembers };
  }

  /** The request under way was answered. */
  answered(answer: NameAnswer): void {
    if (this.#current === null) throw new Error('no request is under way');
    const { request, crashed, fromMemory } = this.#current;
    this.#current = null;
    this.#answers++;
    const ways = this.#trails.flatMap((trail) => this.#after(trail, request, answer));
    // It may have been carried out, or have looked, before the crash, and what it did or saw may be lost.
    if (crashed) ways.push(...this.#trails.map((trail) => ({ ...trail, lost: true })));
    // The mediator may have answered what it remembers, which may be lost: one of the states, but not for sure the one that is left.
    const mayBeRemembered = fromMemory && request.kind === 'lookup';
    if (mayBeRemembered && ways.length > 0) ways.push(...this.#trails);
    this.#continue(ways, () => `${describe(request)} answered ${describeAnswer(answer)}`);
  }

  /** The request under way was refused for a reason that has nothing to do with names: nothing has changed. */
  refused(): void {
    this.#current = null;
  }

  /** No answer came, and by now the request is either done or never will be. */
  settles(): void {
    if (this.#current === null) return;
    const { request } = this.#current;
    this.#current = null;
    this.#answers++;
    // A creation of unknown outcome shows its inode when the folder is listed: see #after.
    const done = this.#trails.flatMap((trail) => {
      const next = outcome(current(trail), request, UNKNOWN_INODE);
      return next.names === null ? [] : [this.#step(trail, next.names)];
    });
    this.#continue([...this.#trails, ...done], () => 'a request of unknown outcome');
  }

  /** Everything that was answered before `mark` is durable. */
  synced(mark: number): void {
    this.#trails = this.#trails.map(({ steps, lost }) => {
      const first = steps.findLastIndex((step) => step.answeredAt <= mark);
      return { steps: steps.slice(Math.max(0, first)), lost };
    });
  }

  /** An fsync's verifier says whether something that was answered since the one before is lost. */
  verified(isUnbroken: boolean): void {
    if (isUnbroken) {
      const intact = this.#trails.filter(({ lost }) => !lost);
      this.#continue(intact, () => 'an fsync says that nothing is lost');
    }
    this.#trails = this.#trails.map(({ steps }) => ({ steps, lost: false }));
  }

  /** The metaserver crashed: any state since the last sync may be what is left, unless the mediator carries out again what followed. */
  metaserverCrashed(): void {
    this.#mediatorRemembers = true;
    if (this.#current !== null) {
      // The request under way may be carried out before the crash and survive it.
      this.#current.crashed = true;
    }
    this.#continue(
      this.#trails.flatMap(({ steps, lost }) =>
        steps.map((_, last) => ({ steps: steps.slice(0, last + 1), lost: lost || last < steps.length - 1 })),
      ),
      () => 'a crash',
    );
  }

  /** The mediator remembers nothing from before the crash any more. */
  mediatorForgot(): void {
    this.#mediatorRemembers = false;
  }

  #after(trail: Trail, request: NameRequest, answer: NameAnswer): Trail[] {
    const names = current(trail);
    if (request.kind === 'list') {
      if (answer.state === 'error') return [];
      const bound = bind(names, answer.entries ?? new Map());
      return bound === null ? [] : [replaceCurrent(trail, bound)];
    }
    if (request.kind === 'lookup' && answer.state === 'done' && names.get(request.name) === UNKNOWN_INODE) {
      return [replaceCurrent(trail, new Map(names).set(request.name, answer.inode ?? UNKNOWN_INODE))];
    }
    // What somebody has open without a name is refused for the name first, what is gone for itself.
    const isTaken = request.kind === 'link' && names.has(request.name);
    if (isTaken && answer.state === 'error' && answer.code === 'EEXIST') return [trail];
    const next = outcome(names, request, answer.state === 'done' ? (answer.inode ?? UNKNOWN_INODE) : UNKNOWN_INODE);
    if (next.code !== (answer.state === 'error' ? answer.code : null)) return [];
    if (answer.state === 'done') {
      if (next.inode !== undefined && answer.inode !== undefined && next.inode !== answer.inode) return [];
      if (next.created !== undefined && next.created !== answer.created) return [];
    }
    return next.names === null ? [trail] : [this.#step(trail, next.names)];
  }

  #step(trail: Trail, names: Names): Trail {
    return { ...trail, steps: [...trail.steps, { names, answeredAt: this.#answers }] };
  }

  #continue(ways: readonly Trail[], describeIt: () => string): void {
    if (ways.length === 0) {
      const states = this.#trails.map((trail) => `{${[...current(trail)].map(([n, i]) => `${n}: ${i}`).join(', ')}}`);
      throw new Contradiction(
        `${this.client}'s folder: ${describeIt()}. Possible were: ${[...new Set(states)].slice(0, 6).join(' | ')}`,
      );
    }
    const distinct = new Map<string, Trail>();
    for (const trail of ways) {
      const key = `${trail.lost}|${trail.steps.map(({ names }) => [...names].sort().join(';')).join('|')}`;
      distinct.set(key, trail);
    }
    this.#trails = [...distinct.values()];
  }
}

/** A file that was perhaps made, whose number nobody was told. */
const UNKNOWN_INODE = -1;

interface Outcome {
  code: string | null;
  /** The new state, or null when nothing changes. */
  names: Names | null;
  inode?: number;
  created?: boolean;
}

function outcome(names: Names, request: Exclude<NameRequest, { kind: 'list' }>, newInode: number): Outcome;
function outcome(names: Names, request: NameRequest, newInode: number): Outcome;
function outcome(names: Names, request: NameRequest, newInode: number): Outcome {
  switch (request.kind) {
    case 'list':
      return { code: null, names: null };
    case 'lookup': {
      const inode = names.get(request.name);
      return inode === undefined ? { code: 'ENOENT', names: null } : { code: null, names: null, inode };
    }
    case 'create': {
      const inode = names.get(request.name);
      if (inode === undefined) return { code: null, names: new Map(names).set(request.name, newInode), created: true };
      if (request.exclusive) return { code: 'EEXIST', names: null };
      return { code: null, names: null, inode, created: false };
    }
    case 'unlink': {
      const inode = names.get(request.name);
      if (inode === undefined) return { code: 'ENOENT', names: null };
      const next = new Map(names);
      next.delete(request.name);
      return { code: null, names: next, inode };
    }
    case 'link': {
      if (![...names.values()].includes(request.inode)) return { code: 'ENOENT', names: null };
      if (names.has(request.name)) return { code: 'EEXIST', names: null };
      return { code: null, names: new Map(names).set(request.name, request.inode) };
    }
    case 'rename':
      return renamed(names, request);
  }
}

function renamed(names: Names, { name, newName, mode }: Extract<NameRequest, { kind: 'rename' }>): Outcome {
  const inode = names.get(name);
  if (inode === undefined) return { code: 'ENOENT', names: null };
  const replaced = names.get(newName);
  const next = new Map(names);
  if (mode === 'exchange') {
    if (replaced === undefined) return { code: 'ENOENT', names: null };
    next.set(newName, inode).set(name, replaced);
    return { code: null, names: next };
  }
  if (mode === 'no-replace' && replaced !== undefined) return { code: 'EEXIST', names: null };
  // Two names of one file: nothing happens, and both stay.
  if (replaced === inode) return { code: null, names: null };
  next.delete(name);
  next.set(newName, inode);
  return { code: null, names: next };
}

/** The names with their numbers learnt from a listing; null when it contradicts them. */
function bind(names: Names, listed: Names): Names | null {
  if (names.size !== listed.size) return null;
  for (const [name, inode] of names) {
    const shown = listed.get(name);
    if (shown === undefined || (inode !== UNKNOWN_INODE && inode !== shown)) return null;
  }
  return listed;
}

function current(trail: Trail): Names {
  return trail.steps.at(-1)?.names ?? new Map();
}

function replaceCurrent({ steps, lost }: Trail, names: Names): Trail {
  const last = steps.at(-1);
  return { lost, steps: [...steps.slice(0, -1), { names, answeredAt: last?.answeredAt ?? 0 }] };
}

function describe(request: NameRequest): string {
  switch (request.kind) {
    case 'list':
      return 'a listing';
    case 'rename':
      return `rename (${request.mode}) of ${request.name} to ${request.newName}`;
    case 'create':
    case 'unlink':
    case 'link':
    case 'lookup':
      return `${request.kind} ${request.name}`;
  }
}

function describeAnswer(answer: NameAnswer): string {
  if (answer.state === 'error') return answer.code;
  if (answer.entries !== undefined) return `{${[...answer.entries].map(([n, i]) => `${n}: ${i}`).join(', ')}}`;
  return `success${answer.inode === undefined ? '' : ` with inode ${answer.inode}`}`;
}
