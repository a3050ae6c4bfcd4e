// A card for each server: how it is, in a word and a sentence, and its figures.
import type { ComponentChildren } from 'preact';
import type { PageDataServer } from '../../protocol/page/messages.js';
import type { MediatorStatus, MetaserverStatus } from '../../protocol/services/admin.js';
import { linkTo } from '../live/place.js';
import { progressOf } from '../live/progress.js';
import { briefText, countText, durationText, rateText, sizeText } from '../parts/figures.js';
import { type Mood, StateMark } from '../parts/state-mark.js';

/** A disk with less room than this is worth a colour. */
const NEARLY_FULL = 0.9;
const WORTH_SAYING_MS = 1000;

const DATA_MOODS: Record<PageDataServer['state'], Mood> = {
  up: 'good',
  down: 'bad',
  blank: 'busy',
  rebuilding: 'busy',
};

export function DataServerCard({ server }: { server: PageDataServer }) {
  const { name, address, state, blocks, bytes, dissents, repairs, trouble, reason, behind, latencyMs, rebuild } =
    server;
  const isCatchingUp = state === 'up' && behind !== null && behind > 0 && trouble === null;
  const mood = trouble !== null ? 'bad' : isCatchingUp ? 'busy' : DATA_MOODS[state];
  const word = trouble !== null ? `${state}, ${trouble}` : isCatchingUp ? 'catching up' : state;
  return (
    <Card name={name} address={address} mood={mood} word={word} reason={reason}>
      {rebuild === undefined ? null : (
        <RebuildProgress name={name} done={rebuild.done} total={rebuild.total} what="blocks" />
      )}
      {isCatchingUp && rebuild === undefined ? <CatchUp name={name} behind={behind} /> : null}
      <dl class="figures">
        <Figure name="blocks">{briefText(blocks)}</Figure>
        <Figure name="size">{sizeText(bytes)}</Figure>
        <Figure name="latency">{latencyMs === null || state === 'down' ? '–' : durationText(latencyMs)}</Figure>
        <Figure name="dissents" isNotable={dissents > 0}>
          {briefText(dissents)}
        </Figure>
        <Figure name="repairs">{briefText(repairs)}</Figure>
        <Figure name="behind" isNotable={behind !== 0}>
          {behind === null ? 'unknown' : briefText(behind)}
        </Figure>
      </dl>
      <Room free={server.freeBytes} total={server.totalBytes} />
    </Card>
  );
}

const ROLE_MOODS: Record<MetaserverStatus['role'], Mood> = {
  leader: 'good',
  follower: 'good',
  learner: 'busy',
  candidate: 'busy',
  blank: 'busy',
  crashed: 'bad',
};

export function MetaserverCard({ server, isLone }: { server: MetaserverStatus; isLone: boolean }) {
  const { name, address, state, role, term, lastIndex, committedIndex, appliedIndex, lag, snapshot, trouble } = server;
  const mood = trouble !== null ? 'bad' : ROLE_MOODS[role];
  const word = state === 'down' ? 'down' : isLone && role === 'leader' ? 'up' : role;
  return (
    <Card
      name={name}
      address={address}
      mood={mood}
      word={trouble === null ? word : `${word}, ${trouble}`}
      reason={server.reason}
    >
      {snapshot === undefined ? null : (
        <RebuildProgress name={name} done={snapshot.done} total={snapshot.total} what="rows" />
      )}
      <dl class="figures">
        <Figure name="term">{briefText(term)}</Figure>
        <Figure name="last entry">{briefText(lastIndex)}</Figure>
        <Figure name="committed">{briefText(committedIndex)}</Figure>
        <Figure name="applied">{briefText(appliedIndex)}</Figure>
        <Figure name="behind" isNotable={lag !== null && lag.entries > 0 && lag.ms >= WORTH_SAYING_MS}>
          {lag === null
            ? 'unknown'
            : lag.ms < WORTH_SAYING_MS
              ? countText(lag.entries)
              : `${countText(lag.entries)}, ${durationText(lag.ms)}`}
        </Figure>
      </dl>
      <Room free={server.freeBytes} total={server.totalBytes} />
    </Card>
  );
}

const MEDIATOR_MOODS: Record<MediatorStatus['state'], Mood> = { active: 'good', standby: 'idle', down: 'bad' };

export function MediatorCard({ server, isLone }: { server: MediatorStatus; isLone: boolean }) {
  const { name, address, state, epoch } = server;
  return (
    <Card name={name} address={address} mood={MEDIATOR_MOODS[state]} word={state} reason="">
      {isLone ? null : (
        <dl class="figures">
          <Figure name="epoch">{epoch === 0 ? '–' : String(epoch)}</Figure>
        </dl>
      )}
    </Card>
  );
}

interface CardProps {
  name: string;
  address: string;
  mood: Mood;
  word: string;
  reason: string;
  children: ComponentChildren;
}

function Card({ name, address, mood, word, reason, children }: CardProps) {
  return (
    <li class={`card ${mood}`} data-server={name}>
      <div class="card-head">
        <h3>{name}</h3>
        <StateMark mood={mood}>{word}</StateMark>
      </div>
      <p class="address">
        <span>{address}</span>{' '}
        <a href={linkTo('events', '', { server: name })}>
          events<span class="hidden"> of {name}</span>
        </a>
      </p>
      {reason === '' ? null : <p class="reason">{reason}</p>}
      {children}
    </li>
  );
}

function Figure({
  name,
  isNotable = false,
  children,
}: {
  name: string;
  isNotable?: boolean;
  children: ComponentChildren;
}) {
  return (
    <div class={isNotable ? 'notable' : undefined}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function RebuildProgress({ name, done, total, what }: { name: string; done: number; total: number; what: string }) {
  const { perSecond, leftMs } = progressOf(name);
  const share = total === 0 ? 0 : done / total;
  const rate = perSecond === null ? '' : `, ${rateText(Math.max(0, perSecond))} a second`;
  const left = leftMs === null ? '' : `, ${durationText(leftMs)} left`;
  return (
    <p class="progress">
      <progress max={1} value={share} aria-label={`${name}, rebuilt`} />
      <span>
        {countText(done)} of {countText(total)} {what}
        {rate}
        {left}
      </span>
    </p>
  );
}

function CatchUp({ name, behind }: { name: string; behind: number }) {
  const { perSecond, leftMs } = progressOf(name);
  return (
    <p class="progress">
      {countText(behind)} blocks to catch up
      {perSecond === null ? '' : `, ${rateText(Math.max(0, perSecond))} a second`}
      {leftMs === null ? '' : `, ${durationText(leftMs)} left`}
    </p>
  );
}

function Room({ free, total }: { free: number; total: number }) {
  if (total === 0) return null;
  const used = 1 - free / total;
  return (
    <p class={`room ${used > NEARLY_FULL ? 'scarce' : ''}`}>
      <meter min={0} max={1} value={used} high={NEARLY_FULL} aria-label="of the disk is used" />
      <span>{sizeText(free)} free</span>
    </p>
  );
}
