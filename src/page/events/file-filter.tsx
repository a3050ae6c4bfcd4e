// The file whose events are wanted: by its path or its inode, with the path shown
// where an inode was given.
import { useState } from 'preact/hooks';
import { decodePath, encodePath, nameOf } from '../../protocol/page/path-code.js';
import { ask } from '../live/ask.js';
import { shownName } from '../parts/names.js';
import { useAnswer } from '../parts/use-answer.js';

interface Props {
  /** Empty: of all files. */
  inode: string;
  choose: (inode: string) => void;
}

export function FileFilter({ inode, choose }: Props) {
  const [failure, setFailure] = useState<string | null>(null);
  const { answer } = useAnswer(inode === '' ? null : inode, () => ask.fileOf(Number(inode)));
  const path = answer?.path ?? null;
  const take = (text: string): void => {
    setFailure(null);
    if (text === '' || /^\d+$/.test(text)) {
      choose(text);
      return;
    }
    ask.fileAt(encodePath(text.split('/').filter(Boolean).map(nameOf))).then(
      (file) => choose(String(file.inode)),
      (error: unknown) => setFailure(error instanceof Error ? error.message : String(error)),
    );
  };
  return (
    <span class="row">
      <label class="check" for="events-file">
        File
        <input
          id="events-file"
          type="text"
          size={14}
          placeholder="/a.txt or an inode"
          defaultValue={inode}
          onChange={({ currentTarget }) => take(currentTarget.value.trim())}
        />
      </label>
      {path === null ? null : (
        <bdi class="soft">
          {decodePath(path)
            .map((name) => `/${shownName(name)}`)
            .join('')}
        </bdi>
      )}
      {failure === null ? null : (
        <span class="failure" role="alert">
          {failure}
        </span>
      )}
    </span>
  );
}
