// One list: search and filter, how many there are, the table, the way to other pages; or why there are no rows.
import type { RowData } from '@tanstack/preact-table'
import { useRef } from 'preact/hooks'
import { Note } from '../shared/Note'
import { usePage } from './context'
import { type Columns, DataTable } from './DataTable'
import { Filters } from './Filters'
import { Pager, position } from './Pager'
import { Begin, NoDag, UnknownName, Unmatched } from './states'
import type { Listed } from './usePage'
import { isFiltered } from './view'

interface Properties<Row extends RowData> {
  listed: Listed<Row>
  columns: Columns<Row>
  identify: (row: Row) => string
  heading: string
  caption: string
  noun: 'Images' | 'Names'
  /** Whether the list can be filtered by state. */
  states: boolean
  placeholder: string
}

export function ListSection<Row extends RowData>(properties: Properties<Row>) {
  const { listed, columns, identify, heading, caption, noun, states, placeholder } = properties
  const { view, show } = usePage()
  const section = useRef<HTMLElement>(null)
  const { page, problem, busy, refresh } = listed
  const refocus = () => section.current?.querySelector('input')?.focus()
  if (problem?.status === 403) return <NoDag />
  const nothing = page !== null && page.total === 0 && !busy
  if (nothing && !isFiltered(view) && !problem) return view.name ? <UnknownName name={view.name} /> : <Begin />
  return (
    <section ref={section}>
      <div class="ib-toolbar">
        <Filters view={view} show={show} states={states} what={placeholder} />
        <p class="ib-count" role="status">
          {busy ? (page ? '' : 'Loading') : page && position(view, page.items.length, page.total, noun)}
        </p>
        <button type="button" class="ib-button" onClick={refresh}>
          Refresh
        </button>
      </div>
      {problem && (
        <Note kind="warning">
          {problem.text} {page ? 'This is what it answered last.' : ''}
        </Note>
      )}
      {nothing ? (
        <Unmatched view={view} refocus={refocus} />
      ) : (
        page && (
          <>
            <DataTable
              caption={caption}
              columns={columns}
              rows={page.items}
              total={page.total}
              identify={identify}
              heading={heading}
              view={view}
              show={show}
              busy={busy}
            />
            <Pager view={view} show={show} total={page.total} />
          </>
        )
      )}
    </section>
  )
}
