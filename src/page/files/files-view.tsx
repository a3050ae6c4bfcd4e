// The tree of files: a folder's entries, or what the replicas hold of a file.
import type { PageFileAnswer } from '../../protocol/page/messages.js';
import { decodePath, encodePath } from '../../protocol/page/path-code.js';
import { ask } from '../live/ask.js';
import { linkTo, place } from '../live/place.js';
import { useStore } from '../live/store.js';
import { shownName } from '../parts/names.js';
import { useAnswer } from '../parts/use-answer.js';
import { FileView } from './file-view.js';
import { Folder } from './folder.js';

export function FilesView() {
  const { rest, query } = useStore(place);
  const inode = Number(query.get('inode') ?? 0);
  const key = inode > 0 ? `inode ${inode}` : `path ${rest}`;
  const { answer, failure, again } = useAnswer(key, () => (inode > 0 ? ask.fileOf(inode) : ask.fileAt(rest)));
  return (
    <div class="files stack">
      <Breadcrumb path={inode > 0 ? (answer?.path ?? null) : rest.replace(/\/$/, '')} inode={inode} />
      {failure === null ? null : (
        <p class="failure" role="alert">
          {failure}{' '}
          <button type="button" onClick={again}>
            Try again
          </button>
        </p>
      )}
      {answer === null ? null : <Shown key={key} answer={answer} path={answer.path ?? rest} again={again} />}
    </div>
  );
}

function Shown({ answer, path, again }: { answer: PageFileAnswer; path: string; again: () => void }) {
  if (answer.kind === 'directory') return <Folder path={path} />;
  if (answer.kind === 'file') return <FileView file={answer} changed={again} />;
  return (
    <p class="panel">
      {answer.kind === 'symlink' ? (
        <>
          A symbolic link to <bdi class="mono">{shownName(answer.target ?? '')}</bdi>. It has no blocks of its own.
        </>
      ) : (
        `A ${answer.kind} has no blocks: there is nothing to vote on.`
      )}
    </p>
  );
}

function Breadcrumb({ path, inode }: { path: string | null; inode: number }) {
  const names = path === null ? [] : decodePath(path);
  return (
    <nav aria-label="Path" class="breadcrumb">
      <ol>
        <li>{path === '' ? <h1 aria-current="page">root folder</h1> : <a href={linkTo('files')}>root folder</a>}</li>
        {path === null ? (
          <li>
            <h1 aria-current="page">inode {inode}</h1>
          </li>
        ) : null}
        {names.map((name, depth) => {
          const whole = encodePath(names.slice(0, depth + 1));
          const isLast = depth === names.length - 1;
          return (
            <li key={whole}>
              {isLast ? (
                <h1 aria-current="page">
                  <bdi>{shownName(name)}</bdi>
                </h1>
              ) : (
                <a href={linkTo('files', whole)}>
                  <bdi>{shownName(name)}</bdi>
                </a>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
