// An answer of the API that stays up to date while the page is seen.
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Answer, Poll, type PollSettings } from './poll'

export interface Live<T> extends Answer<T> {
  refresh(): void
}

type Asking<T> = Pick<PollSettings<T>, 'ask' | 'inProgress' | 'isOlder' | 'pauses'>

const NOTHING = { value: null, problem: null, receivedAt: 0 }

const TIMERS = {
  set: (run: () => void, milliseconds: number) => setTimeout(run, milliseconds),
  clear: (timer: unknown) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  now: () => performance.now(),
}

/**
 * Ask every 3 s while something is in progress, else every 30 s; not while the tab is hidden; less often after errors.
 *
 * `key` says what is asked for: an answer to another key is never shown.
 */
export function useLive<T>(key: string, asking: Asking<T>): Live<T> {
  const [state, setState] = useState<{ key: string; answer: Answer<T> }>({ key, answer: NOTHING })
  const newest = useRef(asking)
  newest.current = asking
  const poll = useRef<Poll<T> | null>(null)
  useEffect(() => {
    const made = new Poll<T>({
      ask: (signal) => newest.current.ask(signal),
      inProgress: (value) => newest.current.inProgress(value),
      isOlder: (value, shown) => newest.current.isOlder?.(value, shown) ?? false,
      changed: (answer) => setState({ key, answer }),
      timers: TIMERS,
      pauses: newest.current.pauses,
    })
    poll.current = made
    const seen = () => made.pause(document.hidden)
    document.addEventListener('visibilitychange', seen)
    void made.refresh()
    seen()
    return () => {
      document.removeEventListener('visibilitychange', seen)
      made.stop()
    }
  }, [key])
  const answer = state.key === key ? state.answer : NOTHING
  return { ...answer, refresh: () => void poll.current?.refresh() }
}

/**
 * The server's time in milliseconds, counted on from its last answer; drawn again each second while `ticking`.
 *
 * This machine's clock may be wrong by hours, so only differences of it are used.
 */
export function useServerTime(now: string | undefined, receivedAt: number, ticking: boolean): number {
  const [, redraw] = useState(0)
  useEffect(() => {
    if (!ticking) return
    const timer = setInterval(() => document.hidden || redraw((count) => count + 1), 1000)
    return () => clearInterval(timer)
  }, [ticking])
  const base = now === undefined ? NaN : Date.parse(now)
  if (Number.isNaN(base)) return Date.now()
  return base + (ticking ? Math.max(0, performance.now() - receivedAt) : 0)
}
