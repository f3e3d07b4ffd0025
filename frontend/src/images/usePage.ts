// One page of a list, up to date while it is seen; the page before stays until the next one is there.
import { useEffect, useRef } from 'preact/hooks'
import type { Page } from '../api'
import type { Problem } from '../shared/poll'
import { useLive } from '../shared/useLive'
import type { Show } from './useView'
import { type View, within } from './view'

/** Milliseconds: a page of images says little that is news within seconds. */
export const PAUSES = { soon: 10_000, later: 60_000 }

export interface Listed<T> {
  /** Null until the first answer. */
  page: Page<T> | null
  problem: Problem | null
  /** Whether `page` answers an older question. */
  busy: boolean
  refresh(): void
}

interface Asking<T> {
  ask(signal: AbortSignal): Promise<Page<T>>
  /** Whether a row still changes. */
  changes(row: T): boolean
}

/** Ask for the page of a view; a page beyond the end becomes the last one. */
export function useListed<T>(question: string, view: View, show: Show, { ask, changes }: Asking<T>): Listed<T> {
  const live = useLive<Page<T>>(question, {
    ask,
    inProgress: ({ items }) => items.some(changes),
    pauses: PAUSES,
  })
  const kept = useRef<Page<T> | null>(null)
  const there = live.value ? within(view, live.value.total) : view
  const value = there === view ? live.value : null
  if (value) kept.current = value
  useEffect(() => {
    if (there !== view) show(there, 'replace')
  }, [live.value])
  return {
    // Rows of an older question never answer one that failed.
    page: value ?? (live.problem ? null : kept.current),
    problem: live.problem,
    busy: value === null && live.problem === null,
    refresh: live.refresh,
  }
}
