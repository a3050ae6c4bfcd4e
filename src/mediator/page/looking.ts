// The page's questions about files: folders, attributes, and the ballots of
// blocks, a window of them at a time.
import type {
  ContentsAnswer,
  FolderAnswer,
  PageBallot,
  PageBlock,
  PageEntry,
  PageFileAnswer,
  VotesAnswer,
} from '../../protocol/page/messages.js';
import { decodePath, encodePath } from '../../protocol/page/path-code.js';
import type { Attributes, FileService } from '../../protocol/services/files.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { formatHash } from '../../protocol/values/hash.js';
import type { Clock } from '../../runtime/clock.js';
import { resolveNames } from '../admin/paths.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { BallotBox } from '../voting/ballot-box.js';
import type { Reader } from '../voting/reader.js';
import type { Ballot } from '../voting/vote.js';
import type { Asked } from './request-shapes.js';

const FOLDER_PAGE = 500;
const CONTENTS_PAGE = 1000;

export interface LookingParts {
  files: FileService;
  metadata: MetadataService;
  replicas: ReplicaSet;
  reader: Reader;
  clock: Clock;
}

export class Looking {
  readonly #parts: LookingParts;

  constructor(parts: LookingParts) {
    this.#parts = parts;
  }

  async folder({ path, cookie }: Asked<'folder'>): Promise<FolderAnswer> {
    const { files, metadata } = this.#parts;
    const { inode } = await resolveNames(metadata, decodePath(path), path);
    const { entries, done } = await files.readdir({ inode, cookie, limit: FOLDER_PAGE, attributes: true });
    const shown = await Promise.all(
      entries.map(async ({ name, cookie: at, attributes, inode: own }) => ({
        ...{ name, cookie: at },
        ...entryOf(attributes ?? (await files.getattr({ inode: own }))),
      })),
    );
    return { entries: shown, done };
  }

  async file(asked: Asked<'file'>): Promise<PageFileAnswer> {
    const { files, metadata } = this.#parts;
    const attributes =
      'path' in asked
        ? await resolveNames(metadata, decodePath(asked.path), asked.path)
        : await metadata.query({ name: 'attributes', request: asked });
    const path = 'path' in asked ? encodePath(decodePath(asked.path)) : await this.#pathOf(attributes.inode);
    const target = attributes.kind === 'symlink' ? (await files.readlink({ inode: attributes.inode })).target : null;
    return { ...entryOf(attributes), path, target };
  }

  async #pathOf(inode: number): Promise<string | null> {
    const { path } = await this.#parts.metadata.query({ name: 'path', request: { inode } });
    return path === null ? null : encodePath(path.split('/').filter((name) => name !== ''));
  }

  /** Votes now: every replica that can be reached hashes what it has stored. */
  async votes({ inode, first, count }: Asked<'votes'>): Promise<VotesAnswer> {
    const { metadata, reader, replicas, clock } = this.#parts;
    const { blocks } = await metadata.query({ name: 'blocks', request: { inode, first, count } });
    const wanted = blocks.map((reference) => ({ inode, reference, offset: 0, length: reference.length }));
    const boxes = await reader.poll(wanted);
    const nowMs = clock.monotonicMs();
    return {
      timeMs: Number(clock.nowNs() / 1_000_000n),
      readQuorum: reader.quorum,
      servers: replicas.replicas.map(({ name }) => name),
      blocks: boxes.map((box) => blockOf(box, replicas.replicas, nowMs)),
    };
  }

  async contents({ server, inode }: Asked<'contents'>): Promise<ContentsAnswer> {
    const replica = this.#parts.replicas.byName(server);
    // Behind all blocks of the inode before.
    const after = { inode, index: 0, version: 0 };
    const { entries } = await replica.call(() => replica.blocks.list({ after, limit: CONTENTS_PAGE }));
    const own = entries.filter((entry) => entry.inode === inode);
    return {
      entries: own.map(({ index, version, length, hash }) => ({ index, version, length, hash: formatHash(hash) })),
    };
  }
}

function entryOf(attributes: Attributes): PageEntry {
  const { inode, kind, sizeBytes, blockSizeBytes, mode, uid, gid, links, modifyTimeNs } = attributes;
  return {
    inode,
    kind,
    sizeBytes,
    blockSizeBytes,
    mode,
    uid,
    gid,
    links,
    modifiedMs: Number(modifyTimeNs / 1_000_000n),
  };
}

function blockOf({ wanted, ballots }: BallotBox, replicas: readonly Replica[], nowMs: number): PageBlock {
  const { index, version, hash, length } = wanted.reference;
  const repairs = replicas.flatMap(({ name, recentRepairs }) =>
    recentRepairs
      .filter(({ block }) => block.inode === wanted.inode && block.index === index && block.version === version)
      .map(({ atMs, afterMs }) => ({ server: name, agoMs: nowMs - atMs, afterMs })),
  );
  return {
    ...{ index, version, length, repairs },
    witness: formatHash(hash),
    ballots: replicas.map((replica) => ballotOf(ballots.get(replica))),
  };
}

function ballotOf(ballot: Ballot = { state: 'unreachable' }): PageBallot {
  return ballot.state === 'present' ? { state: 'present', hash: formatHash(ballot.hash) } : ballot;
}
