// What the people do who run the cluster, at any moment: they set clocks, and
// scrub. Neither may cost a byte.
import type { SimulatedCluster } from './cluster.js';
import type { World } from './world/host.js';

const SECOND_NS = 1_000_000_000n;
/** Within what synchronised hosts may differ by, a time zone that was set wrong, and beyond every age that means anything. */
const CLOCK_STEPS_NS = [2n * SECOND_NS, 2n * 3600n * SECOND_NS, 400n * 24n * 3600n * SECOND_NS];

export function operate(cluster: SimulatedCluster, world: World): void {
  if (world.random.chance(0.7)) scrub(cluster, world);
  else setClock(cluster, world);
}

/** Sets the wall clock of one host ahead or back. */
function setClock({ hosts }: SimulatedCluster, { random, note }: World): void {
  const host = random.pick(hosts);
  const stepNs = random.pick(CLOCK_STEPS_NS) * (random.chance(0.5) ? 1n : -1n);
  note(`the clock of ${host.name} is set by ${stepNs / SECOND_NS} s`);
  host.setClockBy(stepNs);
}

/** Starts a scrub of everything; nothing happens while one runs. */
function scrub({ mediator }: SimulatedCluster, { note }: World): void {
  note('a scrub is started');
  mediator?.admin.scrub({}).catch((error: unknown) => note(`the scrub did not start: ${String(error)}`));
}
