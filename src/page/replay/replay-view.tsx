// The view of recordings: opens one, from the reader's files or from the server, and shows it.
import { useEffect, useState } from 'preact/hooks';
import type { CollectionHeader } from '../../recording/collection.js';
import { type Recording, RecordingError } from '../../recording/reader.js';
import { linkTo, place } from '../live/place.js';
import { useStore } from '../live/store.js';
import { sizeText } from '../parts/figures.js';
import type { Collection } from './load.js';
import { isCollection, namesOf, OWN, opened as openedFiles, openOwn, openServed, takeOut } from './opened.js';
import { PlayerView } from './player-view.js';
import { ProtocolsTable } from './protocols-table.js';

const PROTOCOLS = '/protocols';
const IS_FILE = location.protocol === 'file:';

export function ReplayView() {
  const { rest, query } = useStore(place);
  const files = useStore(openedFiles);
  const [failure, setFailure] = useState<string | null>(null);
  const [progress, setProgress] = useState<string | null>(null);
  const [isOver, setOver] = useState(false);
  const opened = rest === '' ? undefined : files[rest];

  useEffect(() => setFailure(null), [rest, query.get('fault'), query.get('protocol')]);

  useEffect(() => {
    if (IS_FILE) return;
    openServed(rest === '' ? PROTOCOLS : rest).catch((error: unknown) => {
      // The table is there for those who look for it; without it files can be opened all the same.
      if (rest !== '') setFailure(wordsOf(error));
    });
  }, [rest]);

  const open = async (chosen: readonly File[]): Promise<void> => {
    if (chosen.length === 0) return;
    const names = namesOf(chosen);
    setFailure(null);
    setProgress(`Reading ${names} …`);
    try {
      await openOwn(chosen, (bytes) => setProgress(`Reading ${names}: ${sizeText(bytes)}`));
      const isSame = rest === OWN && query.get('name') === names;
      if (!isSame) location.hash = linkTo('replay', OWN, { name: names });
    } catch (error) {
      setFailure(`${names}: ${wordsOf(error)}`);
    } finally {
      setProgress(null);
    }
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping a file is one way; the button beside it is another
    <div
      class={`replay ${isOver ? 'is-over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void open([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <Open
        open={open}
        isSmall={opened !== undefined}
        title={rest === OWN && opened !== undefined ? opened.name : ''}
      />
      {progress === null ? null : <p role="status">{progress}</p>}
      {failure === null ? null : (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      {rest === OWN && opened === undefined ? (
        <p class="notice busy" role="status">
          This link leads into {query.get('name') ?? 'a recording'}: open that file, and you are there.
        </p>
      ) : null}
      {opened === undefined ? null : isCollection(opened.content) ? (
        <FromCollection
          collection={opened.content}
          rest={rest}
          query={query}
          hasFailed={failure !== null}
          onFailure={setFailure}
        />
      ) : (
        <Shown
          recording={opened.content}
          query={query}
          linkOf={(t) => linkTo('replay', rest, { ...(rest === OWN ? { name: opened.name } : {}), t: String(t) })}
        />
      )}
      {rest === '' ? <Table header={tableOf(files[PROTOCOLS]?.content)} /> : null}
    </div>
  );
}

interface OpenProps {
  open: (files: readonly File[]) => Promise<void>;
  isSmall: boolean;
  title: string;
}

function Open({ open, isSmall, title }: OpenProps) {
  const field = (
    <label class="button replay-open">
      <input
        class="hidden"
        type="file"
        multiple
        accept=".jsonl,.gz,.recordings,.json"
        onChange={(event) => {
          void open([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = '';
        }}
      />
      Open a recording …
    </label>
  );
  if (isSmall) {
    return (
      <p class="row replay-head">
        <a href={linkTo('replay')}>All recordings</a>
        <span class="soft">{title}</span>
        {field}
      </p>
    );
  }
  return (
    <section class="panel stack replay-begin">
      <h1>Replay</h1>
      <p>
        A recording shows what every process did and said: step through votes, elections, crashes and partitions, and
        stop where it matters.
      </p>
      <p class="row">{field} or drop the file here.</p>
      <pre class="mono">{COMMANDS}</pre>
    </section>
  );
}

const COMMANDS = `npm run simulate -- --seed 17 --steps 300 --record run.jsonl.gz
nmrfs catalog serve CONFIG ID --record s1.jsonl     one a server: open them together
nmrfs replay run.jsonl.gz`;

function Table({ header }: { header: CollectionHeader | undefined }) {
  if (header !== undefined) return <ProtocolsTable header={header} rest={PROTOCOLS} />;
  if (!IS_FILE) return null;
  return (
    <p class="soft">
      The table of protocols with its recordings is in the file protocols.recordings beside this page: open it, or run{' '}
      <code>nmrfs replay</code>.
    </p>
  );
}

interface CollectionProps {
  collection: Collection;
  rest: string;
  query: URLSearchParams;
  hasFailed: boolean;
  onFailure: (words: string) => void;
}

function FromCollection({ collection, rest, query, hasFailed, onFailure }: CollectionProps) {
  const protocol = query.get('protocol');
  const table = Number(query.get('fault') ?? 0);
  const [recording, setRecording] = useState<Recording | null>(null);
  useEffect(() => {
    let isCurrent = true;
    setRecording(null);
    if (protocol === null) return;
    takeOut(collection, table, protocol).then(
      (taken) => isCurrent && setRecording(taken),
      (error: unknown) => isCurrent && onFailure(wordsOf(error)),
    );
    return () => {
      isCurrent = false;
    };
  }, [collection, table, protocol]);
  if (protocol === null) return <ProtocolsTable header={collection.header} rest={rest} />;
  if (recording === null) return hasFailed ? null : <p role="status">Reading …</p>;
  const linkOf = (t: number): string => linkTo('replay', rest, { fault: String(table), protocol, t: String(t) });
  return <Shown recording={recording} query={query} linkOf={linkOf} />;
}

interface ShownProps {
  recording: Recording;
  query: URLSearchParams;
  linkOf: (us: number) => string;
}

function Shown({ recording, query, linkOf }: ShownProps) {
  const t = query.get('t');
  return (
    <>
      <h1 class="replay-title">{recording.header.title}</h1>
      {recording.header.command === undefined ? null : (
        <details class="replay-command soft">
          <summary>How to make it again</summary>
          <code>{recording.header.command}</code>
        </details>
      )}
      <PlayerView
        key={recording.header.title}
        recording={recording}
        startUs={t === null || Number.isNaN(Number(t)) ? undefined : Number(t)}
        followed={query}
        linkOf={linkOf}
      />
    </>
  );
}

function tableOf(content: Recording | Collection | undefined): CollectionHeader | undefined {
  return content !== undefined && isCollection(content) ? content.header : undefined;
}

function wordsOf(error: unknown): string {
  if (error instanceof RecordingError) return error.message;
  return `It cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}
