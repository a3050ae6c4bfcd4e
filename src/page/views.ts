// The views of the page, in the order of the navigation.
import type { ComponentType } from 'preact';
import { ClusterView } from './cluster/cluster-view.js';

export interface View {
  /** In the address, behind the #. */
  name: string;
  title: string;
  View: ComponentType;
  /** It shows something where no server is: in a page that was opened from a file. */
  worksAlone?: boolean;
}

export const VIEWS: readonly View[] = [{ name: 'cluster', title: 'Cluster', View: ClusterView }];
