// What servers of the lazy protocol tell each other.
import { malformed, ServiceError } from '../../protocol/errors.js';
import { checkPath } from '../map/paths.js';
import { asService } from '../peers/service-errors.js';
import { type PulledPart, Pulls } from './pulls.js';
import type { Batch, Replica } from './replica.js';
import type { KeyedUpdate, Update } from './update.js';
import { covers, type Vector } from './vector.js';

type Options = { deadlineMs: number };

export interface LazyService {
  /** Updates that the receiver has not seen, as far as the sender knows. Answers what the receiver has seen now. */
  push(batch: Batch, options?: Options): Promise<{ seen: Vector }>;
  /** What one who has seen only that lacks; or the rest of it. */
  pull(request: { seen: Vector; rest: number | null }, options?: Options): Promise<PulledPart>;
}

export interface ServiceParts {
  replica: Replica;
  /** Stores and absorbs; durable when it resolves. */
  absorb: (batch: Batch) => Promise<void>;
  /** Why it takes no part; null when it does. */
  refusal: () => string | null;
}

export function lazyService({ replica, absorb, refusal }: ServiceParts): LazyService {
  const check = () => {
    const why = refusal();
    if (why !== null) throw new ServiceError('REFUSED', why);
  };
  const pulls = new Pulls(replica);
  return {
    async push(request) {
      check();
      const batch = readBatch(request);
      // It says nothing of what is between: the sender then asks what was seen, and sends all of that.
      if (covers(replica.seen, batch.since)) await asService(absorb(batch));
      return { seen: replica.seen };
    },
    async pull({ seen, rest }) {
      check();
      return typeof rest === 'number' ? pulls.goOn(rest) : pulls.begin(readSeen(seen));
    },
  };
}

/** @throws ServiceError MALFORMED */
export function readBatch({ updates, since, seen }: Batch): Batch {
  if (!Array.isArray(updates)) throw malformed('updates are no list');
  return { updates: updates.map(readUpdate), since: readSeen(since), seen: readSeen(seen) };
}

function readUpdate({ key, update }: KeyedUpdate): KeyedUpdate {
  const { origin, timestamp, version, bytes, isRemoved } = (update ?? {}) as Partial<Update>;
  const isRight = typeof key === 'string' && typeof origin === 'string' && typeof isRemoved === 'boolean';
  if (!isRight || !(bytes instanceof Uint8Array) || !Number.isSafeInteger(version)) throw malformed('an update');
  if (key.startsWith('/')) checkPath(key);
  // The bytes may lie in memory that is used again.
  const copy = Uint8Array.from(bytes);
  return { key, update: { origin, timestamp: readSeen(timestamp), version: version ?? 0, bytes: copy, isRemoved } };
}

function readSeen(vector: unknown): Vector {
  const isVector =
    typeof vector === 'object' &&
    vector !== null &&
    Object.values(vector).every((number) => Number.isSafeInteger(number) && number >= 0);
  if (!isVector) throw malformed('a vector timestamp');
  return vector as Vector;
}
