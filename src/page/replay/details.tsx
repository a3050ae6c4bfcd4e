// The chosen event in full: what a message carries, what a vote came to, what a line of a log means.
import { BALLOT_WORDS, ballotKind } from '../../explain/vote.js';
import type { RecordedEvent, VoteEvent } from '../../recording/format.js';
import { explanation, headline, isAgreed, timeText } from '../../recording/sentences.js';
import { useStore } from '../live/store.js';
import { StateMark } from '../parts/state-mark.js';
import type { Player } from './player.js';

export function Details({ player }: { player: Player }) {
  useStore(player.words);
  const event = player.chosenEvent;
  return (
    <section class="panel stack replay-details" aria-live="polite" aria-label="The chosen event">
      {event === undefined ? (
        <p class="soft">Choose an arrow or a sign, or step: what it carries and what it means is told here.</p>
      ) : (
        <Event event={event} startUs={player.timeline.startUs} />
      )}
    </section>
  );
}

function Event({ event, startUs }: { event: RecordedEvent; startUs: number }) {
  const words = explanation(event);
  return (
    <>
      <h2>{headline(event)}</h2>
      <p class="soft">
        {timeText(event.t - startUs)} after the beginning{event.kind === 'message' ? ', when it was sent' : ''}
      </p>
      {event.kind === 'vote' ? <Ballots vote={event} /> : null}
      {words === '' ? null : <p>{words}</p>}
      {event.kind === 'message' && event.content ? (
        <figure>
          <figcaption class="soft">It carries</figcaption>
          <pre class="mono">{event.content}</pre>
        </figure>
      ) : null}
    </>
  );
}

function Ballots({ vote }: { vote: VoteEvent }) {
  return (
    <ul class="row">
      <li>
        <StateMark mood={isAgreed(vote) ? 'good' : 'bad'}>{isAgreed(vote) ? 'agreed' : 'no quorum'}</StateMark>
      </li>
      {vote.ballots.map(({ server, ballot }) => {
        const kind = ballotKind(ballot, vote.witness);
        return (
          <li key={server}>
            <StateMark mood={kind === 'agrees' ? 'good' : kind === 'pending' ? 'idle' : 'bad'}>
              {server}: {BALLOT_WORDS[kind]}
            </StateMark>
          </li>
        );
      })}
    </ul>
  );
}
