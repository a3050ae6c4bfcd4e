// The entries of a folder, some hundreds at a time.
import { useEffect, useState } from 'preact/hooks';
import type { FolderAnswer } from '../../protocol/page/messages.js';
import { encodeName } from '../../protocol/page/path-code.js';
import { ask } from '../live/ask.js';
import { linkTo } from '../live/place.js';
import { countText, sizeText, timeText } from '../parts/figures.js';
import { shownName } from '../parts/names.js';
import { useAnswer } from '../parts/use-answer.js';

type Entry = FolderAnswer['entries'][number];

const KINDS: Record<Entry['kind'], string> = {
  file: 'file',
  directory: 'folder',
  symlink: 'symbolic link',
  fifo: 'pipe',
  socket: 'socket',
  character: 'character device',
  block: 'block device',
};

export function Folder({ path }: { path: string }) {
  const [cookie, setCookie] = useState(0);
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const { answer, failure, isAsking, again } = useAnswer(`${path} ${cookie}`, () => ask.folder(path, cookie));
  useEffect(() => {
    if (answer !== null)
      setEntries((before) => [...before.filter((entry) => entry.cookie <= cookie), ...answer.entries]);
  }, [answer, cookie]);
  if (answer === null && entries.length === 0) {
    return <p class="empty">{failure ?? 'The folder is being read.'}</p>;
  }
  if (answer?.done === true && entries.length === 0 && answer.entries.length === 0) {
    return <p class="empty">The folder is empty.</p>;
  }
  return (
    <div class="panel">
      <table class="folder">
        <caption class="hidden">Entries of the folder</caption>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Kind</th>
            <th scope="col" class="number">
              Size
            </th>
            <th scope="col" class="number">
              Blocks
            </th>
            <th scope="col">Changed</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <Row key={entry.cookie} entry={entry} path={path} />
          ))}
        </tbody>
      </table>
      <p class="row">
        {answer?.done === false ? (
          <button type="button" disabled={isAsking} onClick={() => setCookie(entries.at(-1)?.cookie ?? 0)}>
            More
          </button>
        ) : null}
        {cookie === 0 ? (
          <button type="button" disabled={isAsking} onClick={again}>
            Read it again
          </button>
        ) : null}
        {failure === null ? null : <span class="failure">{failure}</span>}
      </p>
    </div>
  );
}

function Row({ entry, path }: { entry: Entry; path: string }) {
  const { name, kind, sizeBytes, blockSizeBytes, modifiedMs } = entry;
  const isFile = kind === 'file';
  return (
    <tr>
      <th scope="row">
        <a href={linkTo('files', `${path}/${encodeName(name)}`)} class={kind === 'directory' ? 'is-folder' : undefined}>
          <bdi>{shownName(name)}</bdi>
        </a>
      </th>
      <td>{KINDS[kind]}</td>
      <td class="number">{isFile ? sizeText(sizeBytes) : ''}</td>
      <td class="number">{isFile ? countText(Math.ceil(sizeBytes / blockSizeBytes)) : ''}</td>
      <td>{timeText(modifiedMs)}</td>
    </tr>
  );
}
