// MetadataService over a connection that may be lost: queries, syncs and
// commands are asked again. A command that must not be carried out twice goes
// under an id, by which the metaserver recognises the retry.
import { FileError, ServiceError, wasWithoutEffect } from '../../protocol/errors.js';
import { type CommandName, type MetadataService, REPEATABLE_COMMANDS } from '../../protocol/services/metadata.js';
import type { RequestId } from '../../protocol/values/request-ids.js';
import { isUnbroken } from '../../protocol/values/verifier.js';
import type { MetaserverConnection } from './metaserver-connection.js';

const REPEATABLE: ReadonlySet<CommandName> = new Set(REPEATABLE_COMMANDS);

export function retryingMetadata(connection: MetaserverConnection): MetadataService {
  const { metadata, ids, unsynced } = connection;
  return {
    async execute(message, options) {
      connection.calls++;
      // Too many unsynced commands: syncs them first. Making this command durable would not do: others may see its effects, and
      // build upon them, before it is stored.
      if (unsynced.isCrowded && !message.durable) await connection.sync(options);
      const isOnce = !REPEATABLE.has(message.name);
      let place = 0;
      let isSent = false;
      let isUnclear = false;
      let answered = 0;
      let losses = 0;
      let known = message;
      const attemptFailed = (error: ServiceError) => {
        if (isSent && !wasWithoutEffect(error)) isUnclear = true;
        isSent = false;
      };
      const send = () =>
        connection.ask(
          (limits) => {
            place = connection.nextPlace();
            isSent = true;
            answered = unsynced.answered;
            losses = connection.losses;
            return metadata.execute(known, limits);
          },
          options,
          attemptFailed,
        );
      const sendAs = (id: RequestId) => {
        known = { ...message, id };
        return send();
      };
      connection.underWay++;
      try {
        const result = await (isOnce && message.id === undefined ? ids.run(sendAs) : send());
        if (message.durable) connection.noteDurable(answered, losses);
        else if (isOnce) connection.noteAnswered(known, result, place);
        return result;
      } catch (error) {
        // A command that was refused has changed nothing. The caller of a repeatable one finds out by itself.
        const mayBeDone = (isUnclear || isSent) && !(error instanceof FileError);
        if (isOnce && mayBeDone) connection.noteOutcomeUnknown(message.name, place);
        throw error;
      } finally {
        connection.underWay--;
      }
    },
    query(message, options) {
      connection.calls++;
      return connection.askBehindAnswered((limits) => metadata.query(message, limits), options);
    },
    async sync(_request, options) {
      const before = connection.verifier;
      await connection.sync(options);
      // The caller is about to act on what it has seen before the sync.
      if (isUnbroken(before, connection.verifier)) return {};
      throw new ServiceError('FAILED', 'changes were lost while they were to be stored');
    },
  };
}
