// The commands that say which mediator is the active one.
import type { Commands } from '../protocol/services/metadata.js';
import type { Draft } from './state/draft.js';

const NS_PER_MS = 1_000_000n;

/**
 * Compare-and-set on the epoch. The process that holds it is told so again: it may have missed the answer. An epoch is no lower
 * than the time in milliseconds: data servers may know of later ones than the metadata, which a disk did not take, or which was
 * restored from a copy.
 */
export function takeOver(draft: Draft, request: Commands['takeOver']['request']): Commands['takeOver']['result'] {
  const { name, process, seen } = request;
  const last = draft.tables.mediator();
  if (last.process === process) return { taken: true, epoch: last.epoch };
  if (last.epoch !== seen) return { taken: false, epoch: last.epoch };
  const epoch = Math.max(seen + 1, Number(draft.timeNs / NS_PER_MS));
  draft.tables.putMediator({ epoch, name, process });
  return { taken: true, epoch };
}

/** The holder goes: the next one need not wait until it is missed. */
export function resign(draft: Draft, { epoch }: Commands['resign']['request']): Commands['resign']['result'] {
  if (draft.tables.mediator().epoch === epoch) draft.tables.putMediator({ epoch, name: '', process: '' });
  return {};
}
