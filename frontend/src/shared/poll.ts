// Asks the server again and again. Nothing here knows a browser, so that tests can turn the clock.
import { ApiError } from '../api'

export interface Problem {
  /** The status of the answer, or null where there was none. */
  status: number | null
  text: string
}

export interface Answer<T> {
  /** The newest answer, also while the server does not answer. */
  value: T | null
  problem: Problem | null
  /** When `value` came, by the clock of `Timers`. */
  receivedAt: number
}

export interface Timers {
  set(run: () => void, milliseconds: number): unknown
  clear(timer: unknown): void
  /** A clock that never runs backwards, in milliseconds. */
  now(): number
}

export interface PollSettings<T> {
  ask(signal: AbortSignal): Promise<T>
  changed(answer: Answer<T>): void
  /** Whether something is in progress, so that the next answer is asked for soon. */
  inProgress(value: T): boolean
  /** Whether an answer is older than the one that is shown: it came late, or from a cache. */
  isOlder?: ((value: T, shown: T) => boolean) | undefined
  timers: Timers
  /** Milliseconds to the next question: while something is in progress, and else. */
  pauses?: { soon: number; later: number } | undefined
}

export const SOON_MS = 3000
export const LATER_MS = 30_000
/** An answer that takes longer is given up. */
export const PATIENCE_MS = 20_000

export class Poll<T> {
  private answer: Answer<T> = { value: null, problem: null, receivedAt: 0 }
  private timer: unknown = null
  private asked = 0
  private shown = 0
  private failures = 0
  private paused = false
  private stopped = false
  private readonly open = new Set<AbortController>()

  constructor(private readonly settings: PollSettings<T>) {}

  /** Ask now; also while an older question is open. */
  async refresh(): Promise<void> {
    if (this.stopped) return
    this.clear()
    const number = ++this.asked
    const controller = new AbortController()
    this.open.add(controller)
    const patience = this.settings.timers.set(() => controller.abort(), PATIENCE_MS)
    try {
      this.take(number, await this.settings.ask(controller.signal))
    } catch (error) {
      this.fail(number, error)
    } finally {
      this.settings.timers.clear(patience)
      this.open.delete(controller)
      if (number === this.asked) this.plan()
    }
  }

  /** Ask nothing while the page is hidden; ask at once when it is seen again. */
  pause(hidden: boolean): void {
    if (hidden === this.paused) return
    this.paused = hidden
    if (hidden) this.clear()
    else void this.refresh()
  }

  stop(): void {
    this.stopped = true
    this.clear()
    for (const controller of this.open) controller.abort()
  }

  private take(number: number, value: T): void {
    if (this.stopped || number < this.shown) return
    this.shown = number
    this.failures = 0
    const { value: shown } = this.answer
    if (shown !== null && this.settings.isOlder?.(value, shown)) {
      this.show({ ...this.answer, problem: null })
    } else {
      this.show({ value, problem: null, receivedAt: this.settings.timers.now() })
    }
  }

  private fail(number: number, error: unknown): void {
    if (this.stopped || number < this.shown) return
    this.shown = number
    this.failures += 1
    this.show({ ...this.answer, problem: problemOf(error) })
  }

  private show(answer: Answer<T>): void {
    this.answer = answer
    this.settings.changed(answer)
  }

  private plan(): void {
    if (this.stopped || this.paused) return
    this.clear()
    this.timer = this.settings.timers.set(() => void this.refresh(), this.wait())
  }

  private wait(): number {
    const { soon, later } = this.settings.pauses ?? { soon: SOON_MS, later: LATER_MS }
    if (this.failures) return Math.min(later, soon * 2 ** this.failures)
    const { value } = this.answer
    return value !== null && this.settings.inProgress(value) ? soon : later
  }

  private clear(): void {
    if (this.timer !== null) this.settings.timers.clear(this.timer)
    this.timer = null
  }
}

const PLAIN: Record<number, string> = {
  401: 'You are no longer logged in. Log in to Airflow again, then load this page again.',
  403: 'You may not read this.',
  404: 'This does not exist, or you may not read it.',
}

export function problemOf(error: unknown): Problem {
  if (!(error instanceof ApiError)) return { status: null, text: 'The server does not answer.' }
  return { status: error.status, text: PLAIN[error.status] ?? `The server answers with an error: ${error.status}.` }
}
