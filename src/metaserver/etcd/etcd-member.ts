// A metaserver as one of those that share a log in etcd: it follows the log, and leads when nobody else does. It is the only part
// that waits for etcd. While etcd is away it waits; whoever leads is not certain of it any more, and gives up after a while.
import type { Buffer } from 'node:buffer';
import { ServiceError } from '../../protocol/errors.js';
import { Freshness } from '../../replication/member/freshness.js';
import { DivergedError } from '../../replication/member/state-machine.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { AppliedRows } from '../storage/applied-rows.js';
import { catchUp, entryOf } from './catch-up.js';
import { EtcdError } from './etcd-error.js';
import { Reign } from './reign.js';
import type { Head, Look, SharedLog } from './shared-log.js';
import { BEAT_MS, SILENCE_MS, Silence } from './silence.js';
import { type Access, Trouble } from './trouble.js';

const POLL_MS = 100;
const RETRY_MS = 100;
/** A leader that has not been certain for so long gives up: who waits for it hears that. */
const GIVE_UP_MS = 2000;
/** Longer than any silence: a lease only clears away what the last of all metaservers has left. */
const LEASE_SECONDS = 10;
/** Signs of life that wait for an answer at the same time. */
const MOST_BEATS = 8;
/** Others that can lead do so before. */
const REFRAIN_MS = 3 * SILENCE_MS;
const KEEP_ALIVE_MS = 2000;

export interface EtcdMemberParts {
  name: string;
  /** The id of the log that this store follows. */
  logId: string;
  log: SharedLog;
  rows: AppliedRows;
  runtime: Runtime;
  /** Whether it can store what it applies: whoever can't does not lead. */
  isWell: () => boolean;
  servingChanged: () => void;
  /** @param bytes of all entries up to the last one that was applied */
  applied: (bytes: number) => void;
  /** The log does not have what comes next for this store. */
  lacking: () => void;
  diverged: (error: DivergedError) => void;
}

export class EtcdMember {
  #reign: Reign | null = null;
  #look: Look | null = null;
  /** Nothing is applied from the log meanwhile. */
  #isReplacing = false;
  /** What the store has is no part of the log. */
  #needsState = false;
  #isHandingOver = false;
  /** It has handed over, and leaves the lead to others. */
  #refrainsUntilMs = 0;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();
  #keptAliveMs = 0;
  /** Signs of life that etcd has not answered yet. */
  #beats = 0;
  readonly #silence = new Silence();
  readonly #trouble: Trouble;
  readonly #freshness: Freshness;

  readonly #parts: EtcdMemberParts;

  constructor(parts: EtcdMemberParts) {
    this.#parts = parts;
    this.#trouble = new Trouble(parts.runtime.log);
    this.#freshness = new Freshness(parts.runtime.clock);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Whoever leads ceases to. Resolves when nothing is asked of etcd any more. */
  async stop(): Promise<void> {
    await this.handOver();
    this.#isStopped = true;
    this.#stepDown('the server is stopping');
    await this.#running;
  }

  get reign(): Reign | null {
    return this.#reign;
  }

  get look(): Look | null {
    return this.#look;
  }

  /** Why etcd does not do what it is asked for; null while it does. */
  get trouble(): string | null {
    return this.#trouble.reason;
  }

  get needsState(): boolean {
    return this.#needsState;
  }

  /** For how long it may lack what is in the log, milliseconds: 0 for the leader. */
  get behindMs(): number {
    return this.#reign === null ? this.#freshness.behindMs : 0;
  }

  /** The last entry, as far as this server knows. */
  get head(): Head | null {
    return this.#reign?.head ?? this.#look?.head ?? null;
  }

  notLeader(): ServiceError {
    const { name } = this.#parts;
    const leader = this.#look?.leader?.name;
    if (this.trouble !== null) return new ServiceError('NOT_LEADER', `no leader is known: ${this.trouble}`);
    if (leader === undefined || leader === name) return new ServiceError('NOT_LEADER', 'no leader is known');
    return new ServiceError('NOT_LEADER', `${leader} leads`, leader);
  }

  /** Resolves when the batch is in the log and applied here. Rejects with NOT_LEADER when it never will be in the log. */
  async append(batch: Buffer): Promise<void> {
    const reign = this.#reign;
    if (reign === null || this.#isHandingOver) throw this.notLeader();
    const { log, rows, runtime, applied } = this.#parts;
    const token = log.newToken();
    const { index, bytes } = { index: reign.head.index + 1, bytes: reign.head.bytes + batch.length };
    for (;;) {
      try {
        const written = await log.append(reign.mandate, reign.head, batch, token);
        if (written.kind !== 'written') {
          if (this.#reign === reign) this.#stepDown('another server leads now');
          if (written.kind === 'lost') throw this.notLeader();
          throw new ServiceError('OUTCOME_UNKNOWN', 'another server leads now, and the log begins later');
        }
        reign.head = written.head;
        // Whoever has ceased to lead follows the log, and may have met it there.
        if (rows.applied.index < index) {
          rows.apply([entryOf({ index, term: reign.mandate.term, batch })]);
          applied(bytes);
        }
        return;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        this.#noteTrouble(error, 'writing');
      }
      // The same again: it finds out whether it was written.
      if (this.#reign === reign) await sleep(runtime.clock, RETRY_MS);
      if (this.#reign !== reign) throw new ServiceError('OUTCOME_UNKNOWN', `etcd has not answered: ${this.trouble}`);
    }
  }

  /** Ceases to lead, and has another server lead at once, or that one. */
  async handOver(to: string | null = null): Promise<void> {
    const reign = this.#reign;
    if (reign === null || this.#isHandingOver) return;
    this.#isHandingOver = true;
    this.#refrainsUntilMs = this.#parts.runtime.clock.monotonicMs() + REFRAIN_MS;
    this.#stepDown('it hands over');
    try {
      await this.#parts.log.release(reign.mandate, to);
    } catch (error) {
      rethrowProgramFault(error);
      // The others will miss it.
      this.#parts.runtime.log.debug('etcd.not_released', errorFields(error));
    } finally {
      this.#isHandingOver = false;
    }
  }

  /** Nothing is applied until `install` has ended, which says whether the rows were replaced. */
  async replace(install: () => Promise<boolean>): Promise<void> {
    this.#isReplacing = true;
    try {
      if (await install()) this.#needsState = false;
    } finally {
      this.#isReplacing = false;
    }
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts.runtime;
    while (!this.#isStopped) {
      const reign = this.#reign;
      if (reign === null) await this.#followAndStand();
      else this.#beatInBackground(reign);
      if (this.#reign !== null && this.#reign.uncertainMs > GIVE_UP_MS) this.#stepDown('etcd has not answered');
      await sleep(clock, this.#reign === null ? POLL_MS : BEAT_MS);
    }
    while (this.#beats > 0) await sleep(clock, RETRY_MS);
  }

  /** One whose answer is lost must not keep the next one from being sent. */
  #beatInBackground(reign: Reign): void {
    if (this.#beats >= MOST_BEATS) return;
    this.#beats++;
    void this.#tryTo('writing', () => this.#lead(reign)).finally(() => {
      this.#beats--;
    });
  }

  async #followAndStand(): Promise<void> {
    const look = await this.#tryTo('reading', () => this.#follow());
    const { head } = look ?? {};
    const { rows, isWell } = this.#parts;
    if (look === undefined || head == null || this.#isReplacing || this.#needsState || !isWell()) return;
    if (rows.applied.index === head.index) await this.#tryTo('writing', () => this.#standIfVacant(look, head));
  }

  async #tryTo<T>(what: Access, action: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await action();
      // What etcd takes is seen by the own writes, or by a leader that lives.
      this.#trouble.answered(what === 'writing' ? this.#reign !== null : this.#silence.hasSign);
      return result;
    } catch (error) {
      if (error instanceof DivergedError) this.#noteDivergence(error);
      else if (error instanceof EtcdError) this.#noteTrouble(error, what);
      else throw error;
    }
    return undefined;
  }

  async #lead(reign: Reign): Promise<void> {
    const { log, runtime } = this.#parts;
    const { clock } = runtime;
    try {
      const sentMs = clock.monotonicMs();
      const revision = await log.beat(reign.mandate);
      if (revision !== null) reign.confirmed(sentMs, revision);
      else if (this.#reign === reign) this.#stepDown('another server leads now');
      if (revision === null || sentMs - this.#keptAliveMs < KEEP_ALIVE_MS) return;
      this.#keptAliveMs = sentMs;
      const askedMs = clock.monotonicMs();
      reign.leaseKept(askedMs, await log.keepAlive(reign.mandate));
    } catch (error) {
      if (!(error instanceof EtcdError) || error.trouble !== 'gone') throw error;
      if (this.#reign === reign) this.#stepDown('its lease is over');
    }
  }

  async #follow(): Promise<Look> {
    const { log, rows, runtime, logId } = this.#parts;
    this.#freshness.heard();
    const look = await log.look();
    const { cluster, head } = look;
    if (cluster === null || head === null) {
      throw new EtcdError(
        'refused',
        'etcd has no log under the prefix, and had one: was it removed, or is this another etcd?',
      );
    }
    if (cluster.id !== logId) {
      throw new EtcdError(
        'refused',
        `the log of etcd is ${cluster.id}, and this store follows ${logId}: is this another etcd?`,
      );
    }
    this.#look = look;
    this.#silence.saw(look, runtime.clock.monotonicMs());
    if (!this.#isReplacing) await this.#catchUp(head);
    if (rows.applied.index >= head.index) this.#freshness.isCurrent();
    return look;
  }

  async #catchUp(head: Head): Promise<void> {
    const { log, rows, applied, lacking } = this.#parts;
    const isWanted = () => !this.#isReplacing && !this.#isStopped && !this.#needsState;
    if (await catchUp({ log, rows, applied, isWanted }, head)) return;
    this.#needsState = true;
    lacking();
  }

  async #standIfVacant({ leader, released }: Look, head: Head): Promise<void> {
    const { log, name, runtime, isWell } = this.#parts;
    const { clock } = runtime;
    const isReleased = leader === null && released !== null && (released.to === null || released.to === name);
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#refrainsUntilMs || (!isReleased && !this.#silence.isOver(nowMs))) return;
    if (leader !== null && !(await log.depose(leader))) return;
    const sentMs = clock.monotonicMs();
    const mandate = await log.stand(name, head, LEASE_SECONDS);
    if (mandate === null) return;
    const reign = new Reign(mandate, head, sentMs, clock);
    if (this.#isStopped || this.#isReplacing || !isWell() || this.#parts.rows.applied.index !== head.index) {
      await log.release(mandate, null);
      return;
    }
    this.#reign = reign;
    this.#keptAliveMs = sentMs;
    runtime.log.info('etcd.elected', { term: mandate.term, index: head.index });
    this.#parts.servingChanged();
  }

  #stepDown(why: string): void {
    const reign = this.#reign;
    if (reign === null) return;
    this.#reign = null;
    this.#silence.interrupted();
    this.#parts.runtime.log.info('etcd.stepped_down', { term: reign.mandate.term, why });
    reign.end(this.notLeader());
    this.#parts.servingChanged();
  }

  #noteTrouble(error: EtcdError, what: Access): void {
    this.#silence.interrupted();
    this.#trouble.began(error, what);
  }

  /** Some of its rows have rotted: it needs all of them anew. */
  rowsDamaged(damage: Error): void {
    this.#stepDown(damage.message);
    this.#noteDivergence(new DivergedError(damage.message));
  }

  #noteDivergence(error: DivergedError): void {
    if (this.#needsState) return;
    this.#needsState = true;
    this.#parts.diverged(error);
  }
}
