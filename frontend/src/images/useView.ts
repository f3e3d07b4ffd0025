// The view in the address. Airflow's router and we share the history: its state stays, with the index that it counts.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ADDRESS_CHANGED } from '../navigation'
import { isSame, read, type View, write } from './view'

export type Show = (view: View, how?: 'push' | 'replace') => void

/** Return the view that the address says, and how to show another one. */
export function useView(): [View, Show] {
  const [view, setView] = useState<View>(() => read(location.search))
  const path = useRef(location.pathname)

  useEffect(() => {
    // Back, forward, and Airflow's own link to this page. An address of another page is none of ours.
    const heard = (): void => {
      if (location.pathname !== path.current) return
      const said = read(location.search)
      setView((shown) => (isSame(shown, said) ? shown : said))
    }
    addEventListener('popstate', heard)
    addEventListener(ADDRESS_CHANGED, heard)
    return () => {
      removeEventListener('popstate', heard)
      removeEventListener(ADDRESS_CHANGED, heard)
    }
  }, [])

  const show = useCallback<Show>((next, how = 'push') => {
    setView(next)
    if (location.pathname !== path.current) return
    const address = addressOf(next)
    if (address === location.pathname + location.search + location.hash) return
    if (how === 'push') history.pushState(following(history.state), '', address)
    else history.replaceState(history.state, '', address)
  }, [])

  return [view, show]
}

/** Return the address of a view, on this page. */
export function addressOf(view: View): string {
  return location.pathname + write(view, location.search) + location.hash
}

function following(state: unknown): unknown {
  if (typeof state !== 'object' || state === null) return state
  const index: unknown = 'idx' in state ? state.idx : undefined
  return typeof index === 'number' ? { ...state, idx: index + 1 } : state
}
