// A table whose rows the server sorts and cuts into pages: TanStack Table keeps columns, order and page.
// On a narrow page its rows are cards (images.css): then the roles say what `display: block` takes away.
import {
  type ColumnDef,
  type RowData,
  rowPaginationFeature,
  rowSortingFeature,
  tableFeatures,
  useTable,
} from '@tanstack/preact-table'
import { SORTS, type View, sorted } from './view'
import type { Show } from './useView'

export const features = tableFeatures({ rowSortingFeature, rowPaginationFeature })

export type Columns<Row extends RowData> = ColumnDef<typeof features, Row, unknown>[]

interface Properties<Row extends RowData> {
  /** What the table shows, for who does not see it. */
  caption: string
  columns: Columns<Row>
  rows: Row[]
  total: number
  identify: (row: Row) => string
  /** The column that names a row. */
  heading: string
  view: View
  show: Show
  busy: boolean
}

export function DataTable<Row extends RowData>(properties: Properties<Row>) {
  const { caption, columns, rows, total, identify, heading, view, show, busy } = properties
  const table = useTable({
    features,
    columns,
    data: rows,
    getRowId: identify,
    manualSorting: true,
    manualPagination: true,
    rowCount: total,
    state: {
      sorting: [{ id: view.sort, desc: view.descending }],
      pagination: { pageIndex: view.page - 1, pageSize: view.size },
    },
  })
  return (
    <div class="ib-scroll" role="region" aria-label={caption} tabIndex={0}>
      <table class="ib-table ib-cards" role="table" aria-busy={busy}>
        <caption class="ib-hidden">{caption}</caption>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((header) => {
                const by = SORTS.find((each) => each === header.column.id && header.column.getCanSort())
                const order = header.column.getIsSorted()
                return (
                  <th
                    key={header.id}
                    scope="col"
                    class={`ib-col-${header.column.id}`}
                    aria-sort={order === 'asc' ? 'ascending' : order === 'desc' ? 'descending' : undefined}
                  >
                    {by ? (
                      <button type="button" class="ib-sort" onClick={() => show(sorted(view, by))}>
                        <table.FlexRender header={header} />
                        <span class="ib-arrow" aria-hidden="true">
                          {order === 'asc' ? '▲' : order === 'desc' ? '▼' : '↕'}
                        </span>
                      </button>
                    ) : (
                      <table.FlexRender header={header} />
                    )}
                  </th>
                )
              })}
            </tr>
          ))}
        </thead>
        <tbody role="rowgroup">
          {table.getRowModel().rows.map((row) => (
            <tr key={row.id} role="row">
              {row.getAllCells().map((cell) =>
                cell.column.id === heading ? (
                  <th key={cell.id} scope="row" role="rowheader" class={`ib-col-${cell.column.id}`}>
                    <table.FlexRender cell={cell} />
                  </th>
                ) : (
                  <td
                    key={cell.id}
                    role="cell"
                    class={`ib-col-${cell.column.id}`}
                    data-label={String(cell.column.columnDef.header)}
                  >
                    <table.FlexRender cell={cell} />
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
