// Search and filter. A pause in typing asks; Enter asks at once.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Show } from './useView'
import { change, LONGEST, STATUSES, type View } from './view'

/** Milliseconds without a key, after which a text is searched for. */
const QUIET = 250

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

  // The address has changed by other means (back, a link): the field follows it, and what was being typed is over.
  useEffect(() => {
    clearTimeout(timer.current)
    setTyped((before) => (before.trim() === view.text ? before : view.text))
  }, [view.text, view.tab, view.name])
  useEffect(() => () => clearTimeout(timer.current), [])

  const search = (text: string): void => {
    clearTimeout(timer.current)
    const asked = text.trim()
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
      <label class="ib-field">
        Search
        <input
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
        <label class="ib-field">
          State
          <select
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
    </form>
  )
}
