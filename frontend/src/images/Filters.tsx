// Search and filter. A pause in typing asks; Enter asks at once.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Show } from './useView'
import { change, LONGEST, SORTS, STATUSES, type View } from './view'

/** Milliseconds without a key, after which a text is searched for. */
const QUIET = 250

/** What a narrow page offers instead of the heads of columns. */
const ORDERS = [
  ['created_at descending', 'newest first'],
  ['created_at ascending', 'oldest first'],
  ['name ascending', 'name'],
  ['name descending', 'name, from Z'],
  ['status ascending', 'state'],
  ['status descending', 'state, from Z'],
  ['duration descending', 'longest build first'],
  ['duration ascending', 'shortest build first'],
] as const

const orderOf = ({ sort, descending }: View): string => `${sort} ${descending ? 'descending' : 'ascending'}`

interface Properties {
  view: View
  show: Show
  /** Whether the list can be filtered by state. */
  states: boolean
  what: string
}

export function Filters({ view, show, states, what }: Properties) {
  const [typed, setTyped] = useState(view.text)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const present = useRef(view)
  present.current = view

  // The text has changed by other means (back, a link): the field follows it, and what was being typed is over.
  const own = useRef(view.text)
  useEffect(() => {
    if (view.text === own.current) return
    clearTimeout(timer.current)
    own.current = view.text
    setTyped(view.text)
  }, [view.text])
  useEffect(() => () => clearTimeout(timer.current), [])

  const search = (text: string): void => {
    clearTimeout(timer.current)
    const asked = text.trim()
    own.current = asked
    if (asked !== present.current.text) show(change(present.current, { text: asked }), 'replace')
  }
  const type = (text: string): void => {
    setTyped(text)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => search(text), QUIET)
  }

  return (
    <form
      role="search"
      class="ib-filters"
      onSubmit={(event) => {
        event.preventDefault()
        search(typed)
      }}
    >
      <label class="ib-labelled">
        Search
        <input
          class="ib-field"
          type="search"
          value={typed}
          maxLength={LONGEST}
          placeholder={what}
          autoComplete="off"
          spellcheck={false}
          onInput={(event) => type(event.currentTarget.value)}
        />
      </label>
      {states && (
        <label class="ib-labelled">
          State
          <select
          class="ib-field"
            value={view.status}
            onChange={(event) => show(change(view, { status: event.currentTarget.value }))}
          >
            <option value="">All states</option>
            {STATUSES.map((status) => (
              <option key={status} value={status}>
                {status}
              </option>
            ))}
          </select>
        </label>
      )}
      <label class="ib-labelled ib-narrow">
        Sort by
        <select
          class="ib-field"
          value={orderOf(view)}
          onChange={(event) => {
            const [sort, order] = event.currentTarget.value.split(' ')
            const by = SORTS.find((each) => each === sort)
            if (by) show(change(view, { sort: by, descending: order === 'descending' }))
          }}
        >
          {ORDERS.map(([order, title]) => (
            <option key={order} value={order}>
              {title}
            </option>
          ))}
        </select>
      </label>
    </form>
  )
}
