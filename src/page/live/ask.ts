// Questions and changes to the server that the page is from.
import type {
  ClusterSnapshot,
  ContentsAnswer,
  EventsAnswer,
  EventsQuestion,
  FolderAnswer,
  PageFileAnswer,
  VotesAnswer,
} from '../../protocol/page/messages.js';

/** Why a question has no answer, in words for people. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** A restart waits for the new process and its store. */
const CHANGE_LIMIT_MS = 90_000;
const QUESTION_LIMIT_MS = 30_000;

export const ask = {
  cluster: () => get<Pick<ClusterSnapshot, 'readQuorum' | 'writeQuorum' | 'dataservers'>>('cluster', {}),
  folder: (path: string, cookie = 0) => get<FolderAnswer>('folder', { path: path || '/', cookie }),
  fileAt: (path: string) => get<PageFileAnswer>('file', { path: path || '/' }),
  fileOf: (inode: number) => get<PageFileAnswer>('file', { inode }),
  votes: (inode: number, first: number, count: number) => get<VotesAnswer>('votes', { inode, first, count }),
  contents: (server: string, inode: number) => get<ContentsAnswer>('contents', { server, inode }),
  events: (question: EventsQuestion) => get<EventsAnswer>('events', { ...question }),
};

export const change = {
  corrupt: (inode: number, servers: readonly string[], index?: number) =>
    post<{ copies: number }>('corrupt', { inode, servers, ...(index === undefined ? {} : { index }) }),
  terminate: (server: string) => post('terminate', { server }),
  restart: (server: string, blank: boolean) => post('restart', { server, blank }),
  hold: (server: string, isHeld: boolean) => post('hold', { server, isHeld }),
  configure: (key: 'readQuorum' | 'writeQuorum' | 'audit', value: string) => post('configure', { key, value }),
  write: (name: string, text: string) => post<{ inode: number } | { refused: string }>('write', { name, text }),
  read: (name: string) => post<{ text: string } | { refused: string }>('read', { name }),
  clear: () => post('clear', {}),
};

function get<T>(name: string, query: Record<string, string | number | boolean | undefined>): Promise<T> {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, String(value));
  return answer(`page/${name}?${parameters}`, { signal: AbortSignal.timeout(QUESTION_LIMIT_MS) });
}

function post<T = unknown>(name: string, request: object): Promise<T> {
  return answer(`page/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-nmrfs-page': '1' },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(CHANGE_LIMIT_MS),
  });
}

async function answer<T>(address: string, options: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === 'TimeoutError';
    throw new Refusal(isLate ? 'the mediator has not answered in time' : 'the mediator cannot be reached');
  }
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  throw new Refusal(reasonIn(text) ?? `the mediator answered ${response.status}`);
}

function reasonIn(text: string): string | undefined {
  try {
    const { error }: { error?: string } = JSON.parse(text);
    return error;
  } catch {
    return text.trim() || undefined;
  }
}
