// Commands are applied once, however often they arrive. The dedupe table keeps
// the last result of each slot of each client. Its row is written in the
// transaction of the command, so a crash loses both or none. Only commands
// change it.
import { FileError, ServiceError } from '../protocol/errors.js';
import type { Answer, Command, CommandName } from '../protocol/services/metadata.js';
import type { RequestId } from '../protocol/values/request-ids.js';
import { apply } from './apply.js';
import { EMPTY_RESULT, type OnceName, RESULT_CODECS, type ResultCodec, type ResultFields } from './result-codecs.js';
import { resultKey } from './state/keys.js';
import { decodeResult, encodeResult, type ResultRow, sequenceOf } from './state/result-row.js';
import type { Tables } from './state/tables.js';
import type { Transactions } from './view.js';

/**
 * Applies a command in a transaction, or answers its retry. A refusal is kept too: otherwise a late duplicate could be applied
 * long after the client was told that the command was refused.
 * @param refusal why no command can be applied just now; retries of applied ones are answered all the same
 */
export function applyOnce<K extends CommandName>(
  engine: Transactions,
  tables: Tables,
  command: Extract<Command, { name: K }>,
  refusal: FileError | null,
): Answer<K> {
  const { name, id, request } = command;
  if (id === undefined || !isOnce(name)) {
    if (refusal !== null) throw refusal;
    return engine.transaction(() => apply<K>(tables, command));
  }
  const codec: ResultCodec<K> = RESULT_CODECS[name as K & OnceName];
  const [client, slot, sequence] = id;
  const key = resultKey(client, slot);
  const last = engine.get(key);
  if (last !== undefined && sequenceOf(last) >= sequence)
    return answerRetry(codec, decodeResult(last), sequence, tables);
  const keep = (result: ResultFields) => engine.put(key, encodeResult({ sequence, ...result }));
  try {
    if (refusal !== null) throw refusal;
    return engine.transaction(() => {
      const result = apply<K>(tables, command);
      const row = codec.encode(result, request);
      if (row !== null) keep(row);
      return result;
    });
  } catch (error) {
    if (error instanceof FileError) engine.transaction(() => keep({ ...EMPTY_RESULT, refusal: error.code }));
    throw error;
  }
}

/** Whether no number is missing between the last request of a slot and this one: of a slot that leaves none out. */
export function isNext(view: Pick<Transactions, 'get'>, [client, slot, sequence]: RequestId): boolean {
  const last = view.get(resultKey(client, slot));
  return sequence <= (last === undefined ? 0 : sequenceOf(last)) + 1;
}

function isOnce(name: CommandName): name is OnceName {
  return Object.hasOwn(RESULT_CODECS, name);
}

function answerRetry<K extends CommandName>(
  codec: ResultCodec<K>,
  last: ResultRow,
  sequence: number,
  tables: Tables,
): Answer<K> {
  if (last.sequence > sequence) {
    throw new ServiceError('REFUSED', `request ${sequence} is over: ${last.sequence} came after it in its slot`);
  }
  if (last.refusal === null) return { ...codec.decode(last, tables), isRepetition: true };
  const result = codec.decodeRefusal?.();
  if (result === undefined) throw new FileError(last.refusal, 'it was refused before');
  return result;
}
