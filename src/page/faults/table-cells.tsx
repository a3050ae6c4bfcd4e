// A table of what succeeds, each cell filled in as it is found.
import { type Cell, type Fault, isPromised, type Operation, type Table } from './runs/tables.js';

export type Found = Cell & { isDone: boolean };

interface Props {
  table: Table;
  found: readonly Found[];
}

const COLUMNS: readonly { fault: Fault; operation: Operation; title: string }[] = [
  { fault: 'corruption', operation: 'write', title: 'write' },
  { fault: 'corruption', operation: 'read', title: 'read' },
  { fault: 'crash', operation: 'write', title: 'write' },
  { fault: 'crash', operation: 'read', title: 'read' },
];

export function TableCells({ table, found }: Props) {
  const rows = Array.from({ length: table.servers + 1 }, (_, faults) => faults);
  const differing = found.filter((cell) => cell.isDone !== isPromised(table, cell)).length;
  const whole = rows.length * COLUMNS.length;
  return (
    <div class="stack">
      <table class="outcomes">
        <caption>
          N {table.servers}, Qr {table.readQuorum}, Qw {table.writeQuorum}
        </caption>
        <thead>
          <tr>
            <td />
            <th scope="colgroup" colSpan={2}>
              corrupted
            </th>
            <th scope="colgroup" colSpan={2}>
              crashed
            </th>
          </tr>
          <tr>
            <th scope="col">replicas</th>
            {COLUMNS.map(({ fault, title }) => (
              <th key={`${fault} ${title}`} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((faults) => (
            <tr key={faults}>
              <th scope="row">{faults}</th>
              {COLUMNS.map(({ fault, operation }) => (
                <Outcome
                  key={`${fault} ${operation}`}
                  table={table}
                  cell={{ fault, operation, faults }}
                  found={found.find(
                    (each) => each.fault === fault && each.operation === operation && each.faults === faults,
                  )}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <p role="status" class={differing === 0 ? 'soft' : 'failure'}>
        {found.length} of {whole} cells found
        {differing === 0 ? ', each as promised.' : `, ${differing} other than promised.`}
      </p>
    </div>
  );
}

function Outcome({ table, cell, found }: { table: Table; cell: Cell; found: Found | undefined }) {
  if (found === undefined) {
    return (
      <td>
        <span class="outcome-cell pending">…</span>
      </td>
    );
  }
  const isAsPromised = found.isDone === isPromised(table, cell);
  return (
    <td>
      <span class={`outcome-cell ${found.isDone ? 'good' : 'bad'}`}>
        <span class="outcome-sign">{found.isDone ? '✓ ' : '✕ '}</span>
        {found.isDone ? 'succeeds' : 'refused'}
        {isAsPromised ? '' : ', not as promised'}
      </span>
    </td>
  );
}
