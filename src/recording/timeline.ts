// A recording as it is looked at: a lane for each process with what it was when, and the events that are to be seen, by time.
import type { LinkEvent, MessageEvent, ProcessKind, RecordedEvent } from './format.js';
import type { Recording } from './reader.js';

interface Span {
  fromUs: number;
  toUs: number;
}

export type Life = 'up' | 'starting' | 'stopped' | 'down';

export interface LifeSpan extends Span {
  life: Life;
}

export interface RoleSpan extends Span {
  role: string;
  term: number;
}

export interface Lane {
  name: string;
  kind: ProcessKind;
  life: LifeSpan[];
  /** While it is nothing in particular there is none. */
  roles: RoleSpan[];
  /** The latest term that it has heard of. */
  terms: { t: number; term: number }[];
}

export interface CutSpan extends Span {
  from: string;
  to: string;
  isBoth: boolean;
  isSlow: boolean;
}

/** What a lane is at one moment. */
export interface LaneState {
  lane: Lane;
  life: Life;
  role: string | null;
  term: number | null;
}

/** Messages that take longer than all but so many are looked for one by one. */
const SLOW_SHARE = 0.01;

export class Timeline {
  readonly lanes: readonly Lane[];
  readonly laneAt: ReadonlyMap<string, number>;
  readonly cuts: readonly CutSpan[];
  readonly startUs: number;
  readonly endUs: number;
  /** Those that are to be seen. */
  readonly events: readonly RecordedEvent[];
  readonly #usualDelayUs: number;
  /** Places of messages that take longer than usual. */
  readonly #slow: readonly number[];

  /** @param isHidden events that are not to be seen; what they say about lanes counts all the same */
  constructor({ header, events }: Recording, isHidden: (event: RecordedEvent) => boolean = () => false) {
    this.startUs = Math.floor(events.find(isActivity)?.t ?? events[0]?.t ?? 0);
    this.endUs = Math.max(this.startUs + 1, Math.ceil(events.reduce((end, event) => Math.max(end, endOf(event)), 0)));
    this.lanes = lanesOf(header.processes, events, this.endUs);
    this.laneAt = new Map(this.lanes.map(({ name }, at) => [name, at]));
    this.cuts = cutsOf(events, this.endUs);
    this.events = events.filter((event) => event.t >= this.startUs && !isHidden(event));
    const delays = this.events.flatMap((event) => (event.kind === 'message' ? [endOf(event) - event.t] : []));
    delays.sort((one, other) => one - other);
    this.#usualDelayUs = delays[Math.floor(delays.length * (1 - SLOW_SHARE))] ?? 0;
    this.#slow = this.events.flatMap((event, at) => (endOf(event) - event.t > this.#usualDelayUs ? [at] : []));
  }

  /** The place of the first event at or after that time. */
  placeAt(us: number): number {
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.events[middle]?.t ?? 0) < us) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Places of all events that are to be seen within a time, messages on their way included, in order. */
  within(fromUs: number, toUs: number): number[] {
    const end = this.placeAt(toUs + 1);
    const first = this.placeAt(fromUs - this.#usualDelayUs);
    const places: number[] = [];
    for (const at of this.#slow) {
      if (at >= first) break;
      const event = this.events[at];
      if (event !== undefined && endOf(event) >= fromUs) places.push(at);
    }
    for (let at = first; at < end; at++) {
      const event = this.events[at];
      if (event !== undefined && endOf(event) >= fromUs) places.push(at);
    }
    return places;
  }

  /** How many events begin within a time. */
  countWithin(fromUs: number, toUs: number): number {
    return this.placeAt(toUs + 1) - this.placeAt(fromUs);
  }

  /** The next event that fits, or the one before; null when there is none. */
  find(from: number, direction: 1 | -1, fits: (event: RecordedEvent) => boolean): number | null {
    for (let at = from + direction; at >= 0 && at < this.events.length; at += direction) {
      const event = this.events[at];
      if (event !== undefined && fits(event)) return at;
    }
    return null;
  }

  statesAt(us: number): LaneState[] {
    return this.lanes.map((lane) => {
      const role = spanAt(lane.roles, us);
      const heard = lane.terms.findLast(({ t }) => t <= us)?.term;
      // Epochs of mediators are times: they say nothing to a reader.
      const own = role?.role === 'active' || role?.role === 'standby' ? undefined : role?.term;
      const term = own === undefined ? heard : Math.max(own, heard ?? 0);
      return { lane, life: spanAt(lane.life, us)?.life ?? 'up', role: role?.role ?? null, term: term ?? null };
    });
  }

  cutsAt(us: number): CutSpan[] {
    return this.cuts.filter(({ fromUs, toUs }) => fromUs <= us && us < toUs);
  }
}

/** When it is over: a message with its arrival. */
export function endOf(event: RecordedEvent): number {
  return event.kind === 'message' && typeof event.arrived === 'number' ? Math.max(event.t, event.arrived) : event.t;
}

function isActivity({ kind }: RecordedEvent): boolean {
  return kind === 'message' || kind === 'note';
}

function spanAt<S extends Span>(spans: readonly S[], us: number): S | undefined {
  return spans.findLast(({ fromUs, toUs }) => fromUs <= us && us < toUs);
}

function lanesOf(
  processes: readonly { name: string; kind: ProcessKind }[],
  events: readonly RecordedEvent[],
  endUs: number,
): Lane[] {
  const lanes = new Map<string, Lane>();
  const laneOf = (name: string, kind: ProcessKind = 'client'): Lane => {
    const known = lanes.get(name);
    if (known !== undefined) return known;
    const lane: Lane = { name, kind, life: [], roles: [], terms: [] };
    lanes.set(name, lane);
    return lane;
  };
  for (const { name, kind } of processes) laneOf(name, kind);
  for (const event of events) {
    if (event.kind === 'message') {
      laneOf(event.from);
      laneOf(event.to);
    } else if (event.kind === 'state') live(laneOf(event.process), event.t, event.state);
    else if (event.kind === 'role') play(laneOf(event.process), event.t, event.role, event.term);
    else if (event.kind === 'term') laneOf(event.process).terms.push({ t: event.t, term: event.term });
  }
  for (const lane of lanes.values()) {
    for (const spans of [lane.life, lane.roles]) close(spans, endUs);
  }
  return [...lanes.values()];
}

/** What comes after each thing that can happen to a process. */
const LIVES: Readonly<Record<string, Life>> = {
  starts: 'starting',
  runs: 'up',
  'goes on': 'up',
  stops: 'stopped',
  crashes: 'down',
  'loses power': 'down',
  ends: 'down',
};

function live(lane: Lane, t: number, state: string): void {
  const life = LIVES[state];
  if (life === undefined) return;
  // Before the first word about it, it was what that word ends.
  if (lane.life.length === 0 && life !== 'starting') lane.life.push({ fromUs: 0, toUs: t, life: 'up' });
  close(lane.life, t);
  lane.life.push({ fromUs: t, toUs: Number.POSITIVE_INFINITY, life });
  if (life === 'down') close(lane.roles, t);
}

function play(lane: Lane, t: number, role: string, term: number): void {
  close(lane.roles, t);
  lane.roles.push({ fromUs: t, toUs: Number.POSITIVE_INFINITY, role, term });
}

function close(spans: Span[], t: number): void {
  const last = spans.at(-1);
  if (last !== undefined && last.toUs === Number.POSITIVE_INFINITY) last.toUs = t;
}

function cutsOf(events: readonly RecordedEvent[], endUs: number): CutSpan[] {
  const cuts: CutSpan[] = [];
  const open = new Map<string, CutSpan[]>();
  for (const event of events) {
    if (event.kind !== 'link') continue;
    const key = keyOf(event);
    if (event.state === 'healed') {
      for (const cut of open.get(key) ?? []) cut.toUs = event.t;
      open.delete(key);
      continue;
    }
    const { from, to, isBoth, t } = event;
    const cut = { from, to, isBoth, isSlow: event.state === 'slow', fromUs: t, toUs: endUs };
    cuts.push(cut);
    open.set(key, [...(open.get(key) ?? []), cut]);
  }
  return cuts;
}

function keyOf({ from, to }: LinkEvent): string {
  return from < to ? `${from} ${to}` : `${to} ${from}`;
}

/** Messages that go round all the while, whatever happens. */
const STEADY = /^(heartbeat|heard|silence|probe|helo)(, |$)|\.(status|changes|compare|sync)$/;

/** Whether a message says no more than that everybody is there. */
export function isSteady({ name }: MessageEvent): boolean {
  return name.split(', ').every((each) => STEADY.test(each));
}
