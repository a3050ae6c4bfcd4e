// What each event of the logs means, and what, if anything, to do about it.
import { CATALOG_EVENTS } from './events/catalog.js';
import { DATA_SERVER_EVENTS } from './events/data-servers.js';
import type { EventText, EventTexts } from './events/event-text.js';
import { MEDIATOR_EVENTS } from './events/mediators.js';
import { METASERVER_EVENTS } from './events/metaservers.js';
import { MOUNT_EVENTS } from './events/mounts.js';
import { PROGRAM_EVENTS } from './events/programs.js';
import { VOTING_EVENTS } from './events/voting.js';

const TEXTS: EventTexts = {
  ...VOTING_EVENTS,
  ...DATA_SERVER_EVENTS,
  ...METASERVER_EVENTS,
  ...MEDIATOR_EVENTS,
  ...MOUNT_EVENTS,
  ...PROGRAM_EVENTS,
  ...CATALOG_EVENTS,
};

/** The names of all events that have a sentence. */
export const EVENT_NAMES: readonly string[] = Object.keys(TEXTS);

/**
 * @param event its name, as logged
 * @param fields of the line in the log
 * @returns undefined for an event of another program
 */
export function explainEvent(event: string, fields: Readonly<Record<string, unknown>> = {}): EventText | undefined {
  const found = Object.hasOwn(TEXTS, event) ? TEXTS[event] : undefined;
  if (found === undefined) return undefined;
  return { means: filled(found.means, fields), todo: found.todo === null ? null : filled(found.todo, fields) };
}

/** A ballot that lost, in words. */
const LOST_BALLOTS: Readonly<Record<string, string>> = {
  present: 'other bytes than the witness says',
  absent: 'no such version',
  damaged: 'a copy that cannot be read',
};

/** Puts fields where their names stand; one that is missing is named instead. */
function filled(sentence: string, fields: Readonly<Record<string, unknown>>): string {
  const text = sentence.replace(/\{(\w+)(?:\|([^}]*))?\}/g, (_, name: string, otherwise?: string) => {
    const value = fields[name];
    if (value === undefined || value === null || value === '') return otherwise ?? `(${name} unknown)`;
    if (name === 'ballot') return LOST_BALLOTS[String(value)] ?? String(value);
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  });
  // Reasons may be sentences of their own.
  return text.replace(/\.\.$/, '.');
}
