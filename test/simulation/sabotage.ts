// Servers that are wrong on purpose, each in one way that the design forbids:
// the simulation must notice every one of them.
import { FileError } from '../../src/protocol/errors.js';
import type { BlockService } from '../../src/protocol/services/blocks.js';
import type { FileService } from '../../src/protocol/services/files.js';
import type { MetadataService } from '../../src/protocol/services/metadata.js';
import { copyOf, type Pieces } from '../../src/protocol/values/pieces.js';
import type { Sabotage } from './cluster-shape.js';
import { SABOTAGES_OF_EARLY_ANSWERS } from './sabotage-of-early-answers.js';
import { SABOTAGES_OF_FENCES } from './sabotage-of-fences.js';
import { SABOTAGES_OF_GROUPS } from './sabotage-of-groups.js';
import { SABOTAGES_OF_GUARDS } from './sabotage-of-guards.js';

/** The same service with some methods replaced; the others go through to the real one, wherever they are defined. */
function override<T extends object>(service: T, replaced: Partial<T>): T {
  return new Proxy(service, {
    get(target, member): unknown {
      const method: unknown = Reflect.get(replaced, member) ?? Reflect.get(target, member);
      return typeof method === 'function' ? method.bind(target) : method;
    },
  });
}

/** A plain object, since a server offers only what it finds as members. */
function overrideBlocks(blocks: BlockService, replaced: Partial<BlockService>): BlockService {
  return { ...blocks, ...replaced };
}

function overrideMetadata(metadata: MetadataService, replaced: Partial<MetadataService>): MetadataService {
  return { ...metadata, ...replaced };
}

/** Every tenth read of a range that was read before answers what it was then. */
function staleReads(files: FileService): FileService {
  const remembered = new Map<string, { pieces: Pieces }>();
  let reads = 0;
  return override(files, {
    async read(request, options) {
      const key = JSON.stringify(request);
      const old = remembered.get(key);
      if (old !== undefined && ++reads % 10 === 0) return old;
      const answer = await files.read(request, options);
      remembered.set(key, { pieces: [copyOf(answer.pieces)] });
      return answer;
    },
  });
}

export const SABOTAGES: Readonly<Record<string, Sabotage>> = {
  'a cache that answers old bytes': { files: staleReads },
  'a write that is acknowledged before it is sent': {
    files: (files) =>
      override(files, {
        async write(request, options) {
          const { inode, extents, truncateTo } = request;
          const { sizeBytes } = await files.getattr({ inode });
          // Sent late, and nobody looks whether it arrives.
          files.write(request, options).catch(() => {});
          const end = extents.reduce((most, { offset, data }) => Math.max(most, offset + data.length), 0);
          return { ...(await files.getattr({ inode })), sizeBytes: Math.max(truncateTo ?? sizeBytes, end) };
        },
      }),
  },
  'a data server that answers before its disk has synced': {
    seed: 52,
    blocks: (blocks) =>
      overrideBlocks(blocks, { put: (request, options) => blocks.put({ ...request, durable: false }, options) }),
  },
  'a metaserver that answers before its disk has synced': {
    seed: 59,
    metadata: (metadata) =>
      overrideMetadata(metadata, {
        execute: (request, options) => metadata.execute({ ...request, durable: false }, options),
      }),
  },
  'a metaserver that carries out what it is asked again': {
    seed: 27,
    metadata: (metadata) =>
      overrideMetadata(metadata, {
        execute: (request, options) => metadata.execute({ ...request, id: undefined }, options),
      }),
  },
  'a mediator that is content with one ballot': { readQuorum: 1 },
  'an fsync that does nothing': {
    files: (files) => override(files, { fsync: async () => ({ verifier: { mediator: '', history: '' } }) }),
  },
  'an fsync that says that nothing was ever lost': {
    seed: 52,
    files: (files) =>
      override(files, {
        async fsync(request, options) {
          await files.fsync(request, options);
          return { verifier: { mediator: '', history: '' } };
        },
      }),
  },
  'a metaserver that gives what it makes again another number': {
    seed: 25,
    metadata: (metadata) =>
      overrideMetadata(metadata, {
        execute(message, options) {
          const { name, request } = message;
          return metadata.execute(
            name === 'make' ? { ...message, request: { ...request, inode: undefined } as typeof request } : message,
            options,
          );
        },
      }),
  },
  'a metaserver that says of versions under way that they are retired': {
    seed: 42,
    metadata: (metadata) =>
      overrideMetadata(metadata, {
        execute: (message, options) =>
          message.name === 'retireVersions'
            ? Promise.resolve({ below: Number.MAX_SAFE_INTEGER } as never)
            : metadata.execute(message, options),
      }),
  },
  'a metaserver that stores nothing when it is told to': {
    seed: 54,
    metadata: (metadata) => overrideMetadata(metadata, { sync: async () => ({}) }),
  },
  'a metaserver that refuses a commit that it has carried out': {
    metadata: (metadata) => {
      let commits = 0;
      return overrideMetadata(metadata, {
        async execute(message, options) {
          const result = await metadata.execute(message, options);
          if (message.name !== 'commit' || ++commits % 5 !== 0) return result;
          throw new FileError('EIO', 'it was refused');
        },
      });
    },
  },
  'a data server that keeps what it should forget': {
    blocks: (blocks) => overrideBlocks(blocks, { delete: async () => ({ deleted: 0 }) }),
  },
  'a metaserver whose block lists miss their end': {
    metadata: (metadata) =>
      overrideMetadata(metadata, {
        query: async (request, options) => {
          const result = await metadata.query(request, options);
          if (request.name !== 'blocks' || !('blocks' in result) || !Array.isArray(result.blocks)) return result;
          return { ...result, blocks: result.blocks.slice(0, -1) };
        },
      }),
  },
  ...SABOTAGES_OF_EARLY_ANSWERS,
  ...SABOTAGES_OF_GUARDS,
  ...SABOTAGES_OF_GROUPS,
  ...SABOTAGES_OF_FENCES,
};
