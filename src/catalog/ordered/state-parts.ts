// A whole state as it is kept, and as it is sent: the place in the log that it stands for, and then the map, part by part.
import type { Mark } from '../../replication/core/core.js';
import type { MapPart } from '../map/catalog-map.js';
import { decodePart, encodePart } from '../map/encoding.js';

/** A state as it is given to be kept. */
export interface StateToKeep {
  readonly mark: Mark;
  readonly parts: Iterable<MapPart>;
}

export function* encodeState({ mark, parts }: StateToKeep): Generator<Uint8Array> {
  yield new TextEncoder().encode(JSON.stringify(mark));
  for (const part of parts) yield encodePart(part);
}

export function decodeMark(bytes: Uint8Array): Mark {
  return JSON.parse(new TextDecoder().decode(bytes)) as Mark;
}

/** @param parts behind the mark; each is needed only until the next one is asked for */
export async function* decodeParts(parts: AsyncIterable<Uint8Array>): AsyncGenerator<MapPart> {
  for await (const part of parts) yield decodePart(part);
}
