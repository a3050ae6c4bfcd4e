// A file: its facts, the grid of its blocks against the replicas, and the vote on
// the block that is chosen.
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { BALLOT_WORDS, type BallotKind } from '../../explain/vote.js';
import type { PageFileAnswer } from '../../protocol/page/messages.js';
import { CorruptForm } from '../faults/corrupt-form.js';
import { ask } from '../live/ask.js';
import { clusters, returns } from '../live/live.js';
import { linkTo, moveTo, place } from '../live/place.js';
import { useStore } from '../live/store.js';
import { countText, sizeText, timeText } from '../parts/figures.js';
import { SIGNS } from './ballot-kinds.js';
import { Ballots } from './ballots.js';
import { ChosenBlock } from './chosen-block.js';
import { Grid } from './grid.js';

const LEGEND: readonly BallotKind[] = ['agrees', 'dissents', 'absent', 'damaged', 'unreachable', 'pending'];
/** What goes on in the cluster is looked at no more often. */
const PAUSE_MS = 1500;

interface Props {
  file: PageFileAnswer;
  /** The file is another one than it was: longer, shorter, written anew. */
  changed: () => void;
}

export function FileView({ file, changed }: Props) {
  const { inode, sizeBytes, blockSizeBytes, mode, uid, gid, modifiedMs } = file;
  const blocks = Math.ceil(sizeBytes / blockSizeBytes);
  const ballots = useMemo(() => new Ballots(inode), [inode]);
  useStore(ballots.changes);
  const failure = useStore(ballots.failure);
  const { rest, query } = useStore(place);
  const cluster = useStore(clusters);
  useFollow(ballots, file, changed);
  const block = query.get('block');
  const chosen = block === null ? null : Math.min(Math.max(0, Number(block) || 0), blocks - 1);
  const choose = (index: number): void => {
    const more = query.has('inode') ? { inode: String(inode) } : {};
    moveTo(linkTo('files', rest, { ...more, block: String(index) }));
  };
  const servers = cluster?.dataservers.map(({ name }) => name) ?? [];
  return (
    <div class="file stack">
      <dl class="facts">
        <Fact name="size">
          {sizeText(sizeBytes)} in {countText(blocks)} {blocks === 1 ? 'block' : 'blocks'} of {sizeText(blockSizeBytes)}
        </Fact>
        <Fact name="inode">
          {String(inode)}, <a href={linkTo('events', '', { inode: String(inode) })}>its events</a>
        </Fact>
        <Fact name="mode">
          {mode.toString(8).padStart(4, '0')}, owner {uid}:{gid}
        </Fact>
        <Fact name="changed">{timeText(modifiedMs)}</Fact>
      </dl>
      {blocks === 0 ? (
        <p class="empty">The file is empty: it has no blocks, and there is nothing to vote on.</p>
      ) : (
        <>
          <div class="row">
            <button type="button" class="main" onClick={() => ballots.again(true)} disabled={ballots.isAsking}>
              Vote again
            </button>
            <ul class="legend" aria-label="What the signs mean">
              {LEGEND.map((kind) => (
                <li key={kind}>
                  <span class={`cell ${kind}`} aria-hidden="true">
                    {SIGNS[kind]}
                  </span>{' '}
                  {BALLOT_WORDS[kind]}
                </li>
              ))}
            </ul>
          </div>
          {failure === null ? null : (
            <p class="failure" role="alert">
              The vote has no answer: {failure}.
            </p>
          )}
          <div class="file-split">
            <Grid ballots={ballots} servers={servers} blocks={blocks} chosen={chosen} choose={choose} />
            <div class="stack">
              {chosen === null ? (
                <p class="panel soft">
                  Choose a block, by a click or with the arrow keys and Enter, to read what its vote came to.
                </p>
              ) : (
                <ChosenBlock index={chosen} vote={ballots.at(chosen)} earlier={ballots.earlier(chosen)} />
              )}
              {chosen !== null && cluster?.role === 'active' && cluster.testHooks ? (
                <CorruptForm
                  key={chosen}
                  inode={inode}
                  index={chosen}
                  servers={cluster.dataservers}
                  done={() => ballots.again(false)}
                />
              ) : null}
            </div>
          </div>
        </>
      )}
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Votes anew when something has happened to the replicas, and tells when something has been written to the file. */
function useFollow(ballots: Ballots, { inode, modifiedMs, sizeBytes }: PageFileAnswer, changed: () => void): void {
  const snapshot = useStore(clusters);
  const returned = useStore(returns);
  useEffect(() => {
    if (ballots.failure.value !== null) ballots.again(false);
  }, [returned, ballots]);
  const seen = useRef<{ replicas: string; commits: number; atMs: number } | null>(null);
  useEffect(() => {
    if (snapshot === null || snapshot.role !== 'active') return;
    const replicas = snapshot.dataservers.map((each) => `${each.state} ${each.dissents} ${each.repairs}`).join();
    const commits = snapshot.counters.commits ?? 0;
    const before = seen.current;
    if (before !== null && performance.now() - before.atMs < PAUSE_MS) return;
    seen.current = { replicas, commits, atMs: performance.now() };
    if (before === null) return;
    if (before.replicas !== replicas) ballots.again(false);
    if (before.commits === commits) return;
    ask.fileOf(inode).then(
      (now) => {
        if (now.modifiedMs === modifiedMs && now.sizeBytes === sizeBytes) return;
        changed();
        ballots.again(false);
      },
      // It may be gone: the next question about it says so.
      () => changed(),
    );
  }, [snapshot, ballots, inode, modifiedMs, sizeBytes, changed]);
}
