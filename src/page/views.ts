// The views of the page, in the order of the navigation.
import type { ComponentType } from 'preact';
import { ClusterView } from './cluster/cluster-view.js';
import { EventsView } from './events/events-view.js';
import { FaultsView } from './faults/faults-view.js';
import { FilesView } from './files/files-view.js';
import { ReplayView } from './replay/replay-view.js';

export interface View {
  /** In the address, behind the #. */
  name: string;
  title: string;
  View: ComponentType;
  /** It shows something where no server is: in a page that was opened from a file. */
  worksAlone?: boolean;
}

export const VIEWS: readonly View[] = [
  { name: 'cluster', title: 'Cluster', View: ClusterView },
  { name: 'files', title: 'Files', View: FilesView },
  { name: 'events', title: 'Events', View: EventsView },
  { name: 'faults', title: 'Faults', View: FaultsView },
  { name: 'replay', title: 'Replay', View: ReplayView, worksAlone: true },
];
