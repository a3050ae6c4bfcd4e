// What the same jobs take with more data servers, other quorums, other block sizes, more metaservers, more programs.
import { mixedJobs } from '../jobs.js';
import { Stage } from '../stage.js';
import { type Point, takeTurns } from '../turns.js';
import { type Measure, USUAL_SERVERS } from './measured.js';

const KIB = 1024;
const SERVERS = [1, 3, 5, 7];
const QUORUM_SERVERS = 5;
const BLOCK_KIBIBYTES = [32, 128, 512, 1024];
const METASERVERS = [1, 3];
const PROGRAMS = [1, 2, 4, 8, 16];
const MOUNTS = [1, 2, 4, 8];

export const measureServers: Measure = (sizes, progress) =>
  Stage.with(async (stage) => {
    const points: Point[] = [];
    for (const servers of SERVERS) points.push(await stage.point(servers, { servers }));
    return { servers: await takeTurns(points, mixedJobs(sizes), { rounds: sizes.rounds, progress }) };
  });

/** Qw is the smallest that fits: 6 - Qr. */
export const measureQuorums: Measure = (sizes, progress) =>
  Stage.with(async (stage) => {
    const cluster = await stage.cluster({ servers: QUORUM_SERVERS });
    const shared = await stage.pointOf(0, cluster);
    const points = Array.from({ length: QUORUM_SERVERS }, (_, less): Point => {
      const readQuorum = less + 1;
      const before = async () => {
        // Qr + Qw > N holds at every step.
        await cluster.configure('writeQuorum', String(QUORUM_SERVERS));
        await cluster.configure('readQuorum', String(readQuorum));
        await cluster.configure('writeQuorum', String(QUORUM_SERVERS + 1 - readQuorum));
      };
      return { ...shared, x: readQuorum, before };
    });
    return { quorums: await takeTurns(points, mixedJobs(sizes), { rounds: sizes.rounds, progress }) };
  });

export const measureBlockSizes: Measure = (sizes, progress) =>
  Stage.with(async (stage) => {
    const points: Point[] = [];
    for (const kibibytes of BLOCK_KIBIBYTES) {
      const options = { servers: USUAL_SERVERS, extraConfig: `blockSize: ${kibibytes} KiB` };
      points.push(await stage.point(kibibytes * KIB, options));
    }
    return { 'block-sizes': await takeTurns(points, mixedJobs(sizes), { rounds: sizes.rounds, progress }) };
  });

export const measureMetaservers: Measure = (sizes, progress) =>
  Stage.with(async (stage) => {
    const points: Point[] = [];
    for (const metaservers of METASERVERS)
      points.push(await stage.point(metaservers, { servers: USUAL_SERVERS, metaservers }));
    return { metaservers: await takeTurns(points, mixedJobs(sizes), { rounds: sizes.rounds, progress }) };
  });

/** All of them share one cluster, and one mount. */
export const measurePrograms: Measure = (sizes, progress) =>
  Stage.with(async (stage) => {
    const shared = await stage.pointOf(0, await stage.cluster({ servers: USUAL_SERVERS }));
    const programs = stage.programs(Math.max(...PROGRAMS));
    const points = PROGRAMS.map((atOnce): Point => ({ ...shared, programs, x: atOnce, atOnce }));
    return { programs: await takeTurns(points, mixedJobs(sizes), { rounds: sizes.rounds, progress }) };
  });

/** One program on each, as on hosts of their own; the mount in the mediator's process rests. */
export const measureMounts: Measure = (sizes, progress) =>
  Stage.with(async (stage) => {
    const cluster = await stage.cluster({ servers: USUAL_SERVERS });
    const all: string[] = [];
    while (all.length < Math.max(...MOUNTS)) all.push(await stage.mount(cluster, `mount-${all.length + 1}`));
    // Now that all processes are there.
    const shared = await stage.pointOf(0, cluster);
    const programs = stage.programs(all.length);
    const points = MOUNTS.map(
      (mounts): Point => ({ ...shared, programs, x: mounts, atOnce: mounts, mountPoints: all.slice(0, mounts) }),
    );
    return { mounts: await takeTurns(points, mixedJobs(sizes), { rounds: sizes.rounds, progress }) };
  });
