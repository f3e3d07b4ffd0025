// Where in the list we are, and the way to its other pages.
import type { Show } from './useView'
import { change, pages, SIZES, type View } from './view'

export const count = (value: number): string => value.toLocaleString('en')

/** Return the position in a list, e.g. "Images 26 to 50 of 10,000". */
export function position(view: View, shown: number, total: number, noun: 'Images' | 'Names'): string {
  if (!total) return `0 ${noun.toLowerCase()}`
  const first = (view.page - 1) * view.size + 1
  return `${noun} ${count(first)} to ${count(first + Math.max(shown, 1) - 1)} of ${count(total)}`
}

export function Pager({ view, show, total }: { view: View; show: Show; total: number }) {
  const last = pages(total, view.size)
  const turns = [
    { label: 'First', to: 1, off: view.page <= 1 },
    { label: 'Previous', to: view.page - 1, off: view.page <= 1 },
    { label: 'Next', to: view.page + 1, off: view.page >= last },
    { label: 'Last', to: last, off: view.page >= last },
  ]
  return (
    <nav class="ib-pager" aria-label="Pages">
      {turns.map(({ label, to, off }, index) => [
        index === 2 ? (
          <span class="ib-page" key="page">
            Page {count(view.page)} of {count(last)}
          </span>
        ) : null,
        // Not `disabled`: the button that was pressed keeps the focus on the last page.
        <button
          key={label}
          type="button"
          class="ib-button"
          aria-label={`${label} page`}
          aria-disabled={off}
          onClick={() => off || show(change(view, { page: to }))}
        >
          {label}
        </button>,
      ])}
      <label class="ib-labelled">
        Rows
        <select
          class="ib-field"
          value={String(view.size)}
          onChange={(event) => show(change(view, { size: Number(event.currentTarget.value) }))}
        >
          {SIZES.map((size) => (
            <option key={size} value={String(size)}>
              {size}
            </option>
          ))}
        </select>
      </label>
    </nav>
  )
}
