// The views of the page, in the order of the navigation.
import type { ComponentType } from 'preact';
import { ClusterView } from './cluster/cluster-view.js';
import { EventsView } from './events/events-view.js';
import { FaultsView } from './faults/faults-view.js';
import { FilesView } from './files/files-view.js';
import { GroupView } from './group/group-view.js';
import { ReplayView } from './replay/replay-view.js';

/** Whose page it is: a mediator's, a catalog server's, or nobody's where it was opened from a file. */
export type Origin = 'mediator' | 'catalog' | 'file';

export interface View {
  /** In the address, behind the #. */
  name: string;
  title: string;
  View: ComponentType;
  /** Where it has something to show. */
  at: readonly Origin[];
}

export const VIEWS: readonly View[] = [
  { name: 'cluster', title: 'Cluster', View: ClusterView, at: ['mediator'] },
  { name: 'group', title: 'Group', View: GroupView, at: ['catalog'] },
  { name: 'files', title: 'Files', View: FilesView, at: ['mediator'] },
  { name: 'events', title: 'Events', View: EventsView, at: ['mediator'] },
  { name: 'faults', title: 'Faults', View: FaultsView, at: ['mediator'] },
  { name: 'replay', title: 'Replay', View: ReplayView, at: ['mediator', 'catalog', 'file'] },
];
