// The page at a mediator's address, whoever has something to say there: the
// active mediator, or the standby that this one is meanwhile.
import { ServiceError } from '../../protocol/errors.js';
import { LiveFeed } from '../../protocol/page/live-feed.js';
import type { ClusterSnapshot, History, PageSnapshot } from '../../protocol/page/messages.js';
import { answerPage, type PageFiles } from '../../protocol/page/page-face.js';
import type { AdminService } from '../../protocol/services/admin.js';
import { messageOf } from '../../runtime/caught-errors.js';
import type { Clock } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { HttpReply, HttpRequest } from '../../runtime/network.js';
import { CHANGES, QUESTIONS } from './request-shapes.js';

type Question = (query: Record<string, string>) => Promise<unknown>;
type Change = (request: Record<string, unknown>) => Promise<unknown>;

/** What is not said here is the same for all of a mediator's time. */
export type ClusterFacts = Omit<ClusterSnapshot, 'name' | 'timeMs' | 'metadataProtocol'>;

export interface PageProvider {
  history(): History;
  snapshot(): Promise<ClusterFacts>;
  readonly questions: Partial<Record<string, Question>>;
  readonly changes: Partial<Record<string, Change>>;
}

export interface ServedPageOptions {
  /** As configured. */
  name: string;
  address: string;
  secret?: string;
  /** raft when absent. */
  metadataProtocol?: ClusterSnapshot['metadataProtocol'];
  /** Absent where there is no page. */
  page?: PageFiles;
}

const QUESTION_NAMES = Object.keys(QUESTIONS);
const CHANGE_NAMES = Object.keys(CHANGES);

/** For `other` of a server's HTTP face. */
export function servedPage(
  { name, address, secret, page, metadataProtocol = 'raft' }: ServedPageOptions,
  provider: () => PageProvider,
  clock: Clock,
): ((request: HttpRequest) => Promise<HttpReply | undefined>) | undefined {
  if (page === undefined) return undefined;
  const snapshot = async (): Promise<PageSnapshot> => {
    const timeMs = () => Number(clock.nowNs() / 1_000_000n);
    try {
      return { ...(await provider().snapshot()), name, metadataProtocol, timeMs: timeMs() };
    } catch (error) {
      rethrowProgramFault(error);
      return { role: 'troubled', timeMs: timeMs(), reason: messageOf(error) };
    }
  };
  const questions = (each: string) => (query: URLSearchParams) =>
    present(provider().questions[each])(Object.fromEntries(query));
  const changes = (each: string) => (request: Record<string, unknown>) => present(provider().changes[each])(request);
  const parts = {
    files: page,
    live: new LiveFeed({ first: () => ({ history: provider().history() }), snapshot }, clock),
    questions: Object.fromEntries(QUESTION_NAMES.map((each) => [each, questions(each)])),
    changes: Object.fromEntries(CHANGE_NAMES.map((each) => [each, changes(each)])),
    address,
    hasSecret: secret !== undefined,
  };
  return (request) => answerPage(parts, request);
}

function present<T>(answer: T | undefined): T {
  if (answer !== undefined) return answer;
  throw new ServiceError('NOT_LEADER', 'this mediator is a standby: ask the active one');
}

/** Of a mediator that is not the active one: what that one says, as far as it answers. */
export function standbyPage(admin: Pick<AdminService, 'status'>): PageProvider {
  return {
    questions: {},
    changes: {},
    history: () => ({ periodMs: 0, samples: [] }),
    async snapshot() {
      const status = await admin.status({});
      const dataservers = status.dataservers.map((server) => ({ ...server, latencyMs: null }));
      return { ...status, dataservers, role: 'standby', testHooks: false, isSupervised: false, sample: null };
    },
  };
}
