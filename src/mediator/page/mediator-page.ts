// What the page shows of the active mediator: how the cluster is, how it was in
// the last ten minutes, its files, its events; and what test hooks do to it.
import type { EventsAnswer, EventsQuestion, History } from '../../protocol/page/messages.js';
import type { Counters } from '../counters.js';
import { Harming, type HarmingParts } from './harming.js';
import { PERIOD_MS, SampleHistory } from './history.js';
import { Looking, type LookingParts } from './looking.js';
import { CHANGES, parse, QUESTIONS } from './request-shapes.js';
import type { ClusterFacts, PageProvider } from './served-page.js';

/** The logs of servers on this machine. */
export interface EventLogs {
  find(question: EventsQuestion): Promise<EventsAnswer>;
}

export interface MediatorPageParts extends LookingParts, HarmingParts {
  counters: Counters;
  /** Absent where there are none. */
  logs?: EventLogs | undefined;
}

const NO_EVENTS: EventsAnswer = {
  events: [],
  hasOlder: false,
  searchedMs: null,
  oldestMs: null,
  here: [],
  elsewhere: [],
};

export class MediatorPage implements PageProvider {
  readonly questions: PageProvider['questions'];
  readonly changes: PageProvider['changes'];
  readonly #history: SampleHistory;
  readonly #parts: MediatorPageParts;

  constructor(parts: MediatorPageParts) {
    this.#parts = parts;
    this.#history = new SampleHistory(parts.counters, parts.clock);
    const looking = new Looking(parts);
    const harming = new Harming(parts);
    this.questions = {
      cluster: () => this.snapshot(),
      folder: (query) => looking.folder(parse(QUESTIONS.folder, query)),
      file: (query) => looking.file(parse(QUESTIONS.file, query)),
      votes: (query) => looking.votes(parse(QUESTIONS.votes, query)),
      contents: (query) => looking.contents(parse(QUESTIONS.contents, query)),
      events: async (query) => parts.logs?.find(parse(QUESTIONS.events, query)) ?? NO_EVENTS,
    };
    this.changes = {
      corrupt: (request) => harming.corrupt(parse(CHANGES.corrupt, request)),
      terminate: (request) => harming.terminate(parse(CHANGES.terminate, request)),
      restart: (request) => harming.restart(parse(CHANGES.restart, request)),
      hold: (request) => harming.hold(parse(CHANGES.hold, request)),
      configure: (request) => harming.configure(parse(CHANGES.configure, request)),
      write: (request) => harming.write(parse(CHANGES.write, request)),
      read: (request) => harming.read(parse(CHANGES.read, request)),
      clear: () => harming.clear(),
    };
  }

  /** Begins to keep the history. */
  start(): void {
    this.#history.start();
  }

  close(): void {
    this.#history.close();
  }

  history(): History {
    return { periodMs: PERIOD_MS, samples: [...this.#history.samples] };
  }

  async snapshot(): Promise<ClusterFacts> {
    const { admin, replicas, testHooks, supervisor } = this.#parts;
    const status = await admin.status({});
    const dataservers = status.dataservers.map((server) => ({
      ...server,
      latencyMs: replicas.byName(server.name).latencyMs,
    }));
    const sample = this.#history.samples.at(-1) ?? null;
    return { ...status, dataservers, role: 'active', testHooks, isSupervised: supervisor !== undefined, sample };
  }
}
