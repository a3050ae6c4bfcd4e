// The table of protocols and faults: each cell leads into the recording of its run, to when what it says was to be seen.
import type { CollectionHeader } from '../../recording/collection.js';
import { linkTo } from '../live/place.js';

interface Props {
  header: CollectionHeader;
  /** The part of the address that names the collection. */
  rest: string;
}

export function ProtocolsTable({ header, rest }: Props) {
  return (
    <section class="panel stack replay-protocols" aria-labelledby="protocols-title">
      <h2 id="protocols-title">{header.title}</h2>
      <p class="soft">
        Five servers of a catalog on a virtual clock, five clients that read and write. Each fault begins, lasts for
        three seconds, and ends. Every number is a link into the recording of its run.
      </p>
      {header.tables.map(({ fault, note, rows }, table) => (
        <details key={fault} open={table === 0}>
          <summary>{`${fault.slice(0, 1).toUpperCase()}${fault.slice(1)}`}</summary>
          <div class="replay-scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">protocol</th>
                  {header.columns.map((column) => (
                    <th key={column} scope="col">
                      {column}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map(({ protocol, cells }) => (
                  <tr key={protocol}>
                    <th scope="row">
                      <a href={linkTo('replay', rest, { fault: String(table), protocol })}>{protocol}</a>
                    </th>
                    {cells.map(({ text, atUs }, column) => (
                      <td key={header.columns[column]}>
                        <a
                          class={text.includes('**') ? 'remarkable' : undefined}
                          href={linkTo('replay', rest, { fault: String(table), protocol, t: String(atUs) })}
                          aria-label={`${protocol}, ${header.columns[column]}: ${text.replaceAll('**', '')}`}
                        >
                          {text.replaceAll('**', '')}
                        </a>
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {note === undefined ? null : <p>{note}</p>}
        </details>
      ))}
    </section>
  );
}
