// The page at a catalog server's address: its group, live.
import { LiveFeed } from '../../protocol/page/live-feed.js';
import type { PageSnapshot } from '../../protocol/page/messages.js';
import { answerPage, type PageFiles } from '../../protocol/page/page-face.js';
import { messageOf } from '../../runtime/caught-errors.js';
import type { Clock } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { HttpReply, HttpRequest } from '../../runtime/network.js';
import type { Catalog } from '../catalog.js';

export interface CatalogPageOptions {
  files: PageFiles;
  address: string;
  hasSecret: boolean;
}

/** Answers undefined for what is not the page's. */
export function catalogPage(
  { files, address, hasSecret }: CatalogPageOptions,
  catalog: Catalog,
  clock: Clock,
): (request: HttpRequest) => Promise<HttpReply | undefined> {
  const snapshot = async (): Promise<PageSnapshot> => {
    const timeMs = Number(clock.nowNs() / 1_000_000n);
    try {
      return { ...(await catalog.status()), role: 'catalog', timeMs };
    } catch (error) {
      rethrowProgramFault(error);
      return { role: 'troubled', timeMs, reason: messageOf(error) };
    }
  };
  const live = new LiveFeed({ first: () => ({}), snapshot }, clock);
  return (request) => answerPage({ files, live, questions: {}, changes: {}, address, hasSecret }, request);
}
