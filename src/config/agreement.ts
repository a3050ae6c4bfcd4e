// Whether the keys of a configuration fit together; schema.ts checks each by itself.
import { relative, resolve } from 'node:path';
import { quorumProblem } from '../protocol/values/quorum.js';
import { pathText } from './path-text.js';
import type { RawConfig } from './schema.js';
import { isLoopback, parseAddress } from './values.js';

export interface Disagreement {
  path: PropertyKey[];
  message: string;
}

interface Place {
  path: PropertyKey[];
  value: string;
}

/** The problems of a configuration whose single values all fit; `folder` is what relative directories count from. */
export function disagreements(
  config: RawConfig,
  quorums: { readQuorum: number; writeQuorum: number },
  folder: string,
): Disagreement[] {
  const servers = (['metaservers', 'dataservers'] as const).flatMap((list) =>
    config[list].map((server, index) => ({ path: [list, index], server })),
  );
  const mediators = mediatorPlaces(config);
  const addresses: Place[] = [
    ...mediators.addresses,
    ...servers.map(({ path, server }) => ({ path: [...path, 'address'], value: server.address })),
  ];
  const names: Place[] = [
    ...mediators.names,
    ...servers.map(({ path, server }) => ({ path: [...path, 'name'], value: server.name })),
  ];
  const stores: Place[] = servers.map(({ path, server }) => ({
    path: [...path, 'directory'],
    value: resolve(folder, server.directory),
  }));
  return [
    ...oneKeyOfMediators(config),
    ...etcdDisagreements(config),
    ...quorumDisagreement(config.dataservers.length, quorums),
    ...repeated(names),
    ...repeated(addresses),
    ...overlapping(stores, { path: ['mount', 'directory'], value: resolve(folder, config.mount.directory) }),
    ...inMount(resolve(folder, config.runDirectory), resolve(folder, config.mount.directory)),
    ...exposed(addresses, config),
  ];
}

/** A lone mediator may stand under the key of its own, without a name. */
export function mediatorsOf({ mediator, mediators }: RawConfig): { name: string; address: string }[] {
  return mediators ?? (mediator === undefined ? [] : [{ name: 'mediator', address: mediator.address }]);
}

function oneKeyOfMediators({ mediator, mediators }: RawConfig): Disagreement[] {
  if (mediator === undefined && mediators === undefined) {
    return [
      {
        path: ['mediator'],
        message: 'mediator: missing; it must be a group with the key address, or a list mediators',
      },
    ];
  }
  if (mediator === undefined || mediators === undefined) return [];
  return [{ path: ['mediators'], message: 'mediators: must not stand beside mediator; keep one of the two' }];
}

function etcdDisagreements({ metadataProtocol, etcd }: RawConfig): Disagreement[] {
  const path = ['etcd'];
  if (metadataProtocol === 'etcd' && etcd === undefined) {
    const message = 'etcd: missing; metadataProtocol: etcd needs it, a group of keys: endpoints, prefix, user, tls';
    return [{ path: ['metadataProtocol'], message }];
  }
  if (etcd === undefined) return [];
  if (metadataProtocol !== 'etcd') {
    return [{ path, message: `etcd: only with metadataProtocol: etcd; here it is ${metadataProtocol}` }];
  }
  const problems: Disagreement[] = [];
  const plain = etcd.endpoints.findIndex((endpoint) => !endpoint.startsWith('https:'));
  if (etcd.tls !== undefined && plain >= 0) {
    const message = `etcd.tls: only where all endpoints begin with https:, and "${etcd.endpoints[plain]}" does not`;
    problems.push({ path: ['etcd', 'tls'], message });
  }
  if (etcd.tls !== undefined && (etcd.tls.certificate === undefined) !== (etcd.tls.key === undefined)) {
    problems.push({ path: ['etcd', 'tls'], message: 'etcd.tls: certificate and key belong together' });
  }
  return problems;
}

function mediatorPlaces(config: RawConfig): { names: Place[]; addresses: Place[] } {
  const { mediator, mediators = [] } = config;
  const lone: Place[] = mediator === undefined ? [] : [{ path: ['mediator', 'address'], value: mediator.address }];
  return {
    names: mediators.map(({ name: value }, index) => ({ path: ['mediators', index, 'name'], value })),
    addresses: [
      ...lone,
      ...mediators.map(({ address: value }, index) => ({ path: ['mediators', index, 'address'], value })),
    ],
  };
}

function quorumDisagreement(servers: number, quorums: { readQuorum: number; writeQuorum: number }): Disagreement[] {
  const problem = quorumProblem(servers, quorums);
  return problem === null
    ? []
    : [{ path: [problem.startsWith('writeQuorum') ? 'writeQuorum' : 'readQuorum'], message: problem }];
}

function repeated(places: readonly Place[]): Disagreement[] {
  const first = new Map<string, Place>();
  return places.flatMap((place) => {
    const earlier = first.get(place.value);
    if (earlier === undefined) {
      first.set(place.value, place);
      return [];
    }
    return [
      {
        path: place.path,
        message: `${pathText(place.path)}: "${place.value}" is taken by ${pathText(earlier.path)}; each must be unique`,
      },
    ];
  });
}

/** A store inside another one, or inside the mount, would be wiped or served by the other. */
function overlapping(stores: readonly Place[], mount: Place): Disagreement[] {
  const problems: Disagreement[] = [];
  stores.forEach((store, index) => {
    for (const other of [...stores.slice(0, index), mount]) {
      if (contains(store.value, other.value) || contains(other.value, store.value)) {
        const message = `${pathText(store.path)}: "${store.value}" and ${pathText(other.path)} "${other.value}" must not be the same or lie in one another`;
        problems.push({ path: store.path, message });
      }
    }
  });
  return problems;
}

/** Logs and sockets would be written through the mount whose servers write them. */
function inMount(runDirectory: string, mount: string): Disagreement[] {
  const message = `runDirectory: "${runDirectory}" must not lie in mount.directory "${mount}"`;
  return contains(mount, runDirectory) ? [{ path: ['runDirectory'], message }] : [];
}

function contains(outer: string, inner: string): boolean {
  const way = relative(outer, inner);
  return way === '' || (way !== '..' && !way.startsWith('../'));
}

function exposed(addresses: readonly Place[], config: RawConfig): Disagreement[] {
  const open = addresses.find(({ value }) => !isLoopback(parseAddress(value)?.host ?? ''));
  if (open === undefined || config.secret !== undefined) {
    return [];
  }
  const hooks = config.testHooks ? ', all the more with testHooks: true' : '';
  const message = `${pathText(open.path)}: "${open.value}" can be reached from other machines and needs a secret${hooks}; add the key secret, or use an address such as 127.0.0.1`;
  return [{ path: open.path, message }];
}
