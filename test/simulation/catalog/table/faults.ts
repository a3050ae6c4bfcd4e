// The dozen faults that the table of protocols tries, on five servers. Each begins, lasts, and ends.
import assert from 'node:assert/strict';
import type { CatalogHost, CatalogWorld } from '../catalog-world.js';

export interface TableFault {
  readonly name: string;
  begin(world: CatalogWorld, servers: Places): void;
  /** What `restoreAll` does not do. */
  end?(world: CatalogWorld, servers: Places): void;
}

/** Who leads when the fault begins, or s1 where nobody does, and the others in order. */
export interface Places {
  readonly leader: CatalogHost;
  readonly others: readonly CatalogHost[];
}

const SLOWNESS_US = 150_000;
const HOUR_NS = 3_600_000_000_000n;

function at(others: readonly CatalogHost[], index: number): CatalogHost {
  return others[index] ?? assert.fail('there are five servers');
}

export const FAULTS: readonly TableFault[] = [
  { name: 'the leader dies', begin: (_world, { leader }) => leader.host.kill() },
  {
    name: 'a minority dies',
    begin: (_world, { others }) => {
      for (const { host } of others.slice(0, 2)) host.kill();
    },
  },
  {
    name: 'a majority dies',
    begin: (_world, { leader, others }) => {
      for (const { host } of [leader, ...others.slice(0, 2)]) host.kill();
    },
  },
  {
    name: 'the network splits: leader and one more, three others',
    begin: (world, { leader, others }) => world.split([leader, at(others, 0)]),
  },
  {
    name: 'nothing comes to the leader, which is heard',
    begin: (world, { leader, others }) => {
      for (const { name } of others) world.network.cutOneWay(name, leader.name);
    },
  },
  {
    name: 'a bridge: two and two that hear one server, and not each other',
    begin: (world, { leader, others }) => {
      for (const one of [leader, at(others, 0)]) {
        for (const other of others.slice(2)) world.network.cut(one.name, other.name);
      }
    },
  },
  {
    name: 'the leader is slow: 150 ms more for each message',
    begin: (world, { leader, others }) => {
      for (const { name } of others) world.network.slow(leader.name, name, SLOWNESS_US);
    },
  },
  { name: 'the leader is stopped, and goes on', begin: (_world, { leader }) => leader.host.process?.stop() },
  {
    name: 'the clock of the leader is an hour ahead',
    begin: (_world, { leader }) => leader.host.setClockBy(HOUR_NS),
    end: (_world, { leader }) => leader.host.setClockBy(-HOUR_NS),
  },
  {
    name: 'the leader loses its disk, and comes back at once',
    begin: (_world, { leader }) => {
      leader.host.kill();
      leader.wipe();
      leader.host.start();
    },
  },
  {
    name: 'two at once: the leader dies, another one is cut off',
    begin: (world, { leader, others }) => {
      leader.host.kill();
      world.split([at(others, 0)]);
    },
  },
  {
    name: 'the power of all goes, and comes back',
    begin: (world) => {
      for (const { host } of world.servers) host.cutPower();
      for (const { host } of world.servers) host.start();
    },
  },
];
