// Corrupts a block of a file that is named by its path, and shows the vote on it.
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ClusterSnapshot, PageFileAnswer } from '../../protocol/page/messages.js';
import { encodePath, nameOf } from '../../protocol/page/path-code.js';
import { Ballots } from '../files/ballots.js';
import { ChosenBlock } from '../files/chosen-block.js';
import { ask } from '../live/ask.js';
import { linkTo } from '../live/place.js';
import { useStore } from '../live/store.js';
import { CorruptForm } from './corrupt-form.js';

export function BlockFaults({ cluster }: { cluster: ClusterSnapshot }) {
  const [path, setPath] = useState('');
  const [index, setIndex] = useState('0');
  const [found, setFound] = useState<{ file: PageFileAnswer; index: number } | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const look = (): void => {
    const encoded = encodePath(path.split('/').filter(Boolean).map(nameOf));
    ask.fileAt(encoded).then(
      (file) => {
        const blocks = Math.ceil(file.sizeBytes / file.blockSizeBytes);
        const isThere = file.kind === 'file' && Number(index) < blocks;
        setFailure(isThere ? null : file.kind === 'file' ? `it has ${blocks} blocks` : `it is a ${file.kind}`);
        setFound(isThere ? { file, index: Number(index) } : null);
      },
      (error: unknown) => {
        setFailure(error instanceof Error ? error.message : String(error));
        setFound(null);
      },
    );
  };
  return (
    <section class="panel stack" aria-labelledby="blocks">
      <h2 id="blocks">Stored bytes</h2>
      <p class="soft">
        Choose a block here, or in <a href={linkTo('files')}>Files</a>, and corrupt it on as many replicas as you like.
      </p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          look();
        }}
      >
        <label class="check" for="corrupt-path">
          File
          <input
            id="corrupt-path"
            type="text"
            placeholder="/a.txt"
            value={path}
            onInput={({ currentTarget }) => setPath(currentTarget.value)}
          />
        </label>
        <label class="check" for="corrupt-block">
          block
          <input
            id="corrupt-block"
            type="number"
            min={0}
            value={index}
            onInput={({ currentTarget }) => setIndex(currentTarget.value)}
          />
        </label>
        <button type="submit">Look at it</button>
      </form>
      {failure === null ? null : (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      {found === null ? null : <LiveBlock key={`${found.file.inode} ${found.index}`} {...found} cluster={cluster} />}
    </section>
  );
}

function LiveBlock({ file, index, cluster }: { file: PageFileAnswer; index: number; cluster: ClusterSnapshot }) {
  const ballots = useMemo(() => new Ballots(file.inode), [file.inode]);
  useStore(ballots.changes);
  const counts = cluster.dataservers.map(({ state, dissents, repairs }) => `${state} ${dissents} ${repairs}`).join();
  useEffect(() => ballots.look(index, index), [ballots, index]);
  useEffect(() => {
    if (counts !== '') ballots.again(false);
  }, [ballots, counts]);
  return (
    <>
      <ChosenBlock index={index} vote={ballots.at(index)} earlier={ballots.earlier(index)} />
      <CorruptForm inode={file.inode} index={index} servers={cluster.dataservers} done={() => ballots.again(false)} />
    </>
  );
}
