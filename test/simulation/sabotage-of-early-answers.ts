// Answers that a mediator gives before the metaserver has what was changed, and
// what must hold for them, each broken in the class that it is in.
import { KnownRows } from '../../src/mediator/early/known-rows.js';
import { AnsweredStream } from '../../src/mediator/metadata/answered-stream.js';
import type { MetadataService, MetaserverService } from '../../src/protocol/services/metadata.js';
import type { Sabotage } from './cluster-shape.js';
import { instead } from './replaced-members.js';

type Commands = Parameters<MetaserverService['executeAll']>[0]['commands'];

/** A metaserver that carries out other commands than those that were answered. */
function otherCommands(change: (commands: Commands) => Commands): NonNullable<Sabotage['metadata']> {
  return (metadata: MetadataService) => ({
    ...metadata,
    executeAll: ({ commands }: { commands: Commands }, options: object) =>
      (metadata as MetaserverService).executeAll({ commands: change(commands) }, options),
  });
}

export const SABOTAGES_OF_EARLY_ANSWERS: Readonly<Record<string, Sabotage>> = {
  'a mediator that asks before it has sent what it has answered': {
    answersEarly: true,
    replace: instead(AnsweredStream, () => ({ flush() {} })),
  },
  'a metaserver that carries out what was answered the other way round': {
    seed: 58,
    answersEarly: true,
    metadata: otherCommands((commands) => [...commands].reverse()),
  },
  'a metaserver that leaves out the last of what was answered': {
    answersEarly: true,
    metadata: otherCommands((commands) => commands.slice(0, -1)),
  },
  'a mediator that answers from what commands under way are changing': {
    seed: 30,
    answersEarly: true,
    replace: instead(KnownRows, () => ({ beginOther: () => () => true })),
  },
};
