// What a mediator is told that is one of several.
import type { ClusterSnapshot } from '../../protocol/page/messages.js';
import type { PageFiles } from '../../protocol/page/page-face.js';
import type { Peer } from '../connections.js';
import type { MediatorOptions, ServerSupervisor } from '../mediator.js';
import type { MediatorSettings } from '../settings.js';

export interface SeveralOptions extends MediatorOptions {
  /** As configured. */
  name: string;
  /** The other mediators. */
  others: readonly Peer[];
  metaservers: readonly Peer[];
  dataservers: readonly Peer[];
  unixPath?: string;
  /** The files of the page; without them there is none. */
  page?: PageFiles;
  /** For the page's words. */
  metadataProtocol?: ClusterSnapshot['metadataProtocol'];
  secret?: string;
  /** The settings as they are configured now: they may have been changed while another mediator was active. */
  settings: () => Promise<MediatorSettings>;
  /** Absent when nobody supervises the servers here. */
  supervisor?: ServerSupervisor;
}
