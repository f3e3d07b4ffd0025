// A time: how long ago, and exactly.
import { duration } from './Duration'
import { stored } from './theme'

export interface TimeProps {
  /** ISO 8601. */
  value: string | null
  /** Milliseconds since 1970; with it, the text is relative to it, unless it is ahead of it. */
  now?: number | undefined
}

export function Time({ value, now }: TimeProps) {
  const at = milliseconds(value)
  if (value === null || at === null) return null
  return (
    <time dateTime={value} title={absolute(at)}>
      {(now !== undefined && relative(at, now)) || absolute(at)}
    </time>
  )
}

/** Milliseconds since 1970, or null for what is not a time. */
export function milliseconds(value: string | null): number | null {
  const at = value === null ? NaN : Date.parse(value)
  return Number.isNaN(at) ? null : at
}

/** Clocks of two machines differ by less than this, else one of them is wrong. */
const AHEAD_S = 60

/** "5 min ago"; "" for a time that is ahead of the clock by more than a minute: then its age is not known. */
export function relative(at: number, now: number): string {
  const seconds = (now - at) / 1000
  if (seconds < -AHEAD_S) return ''
  if (seconds < 5) return 'just now'
  const text = duration(seconds)
  // Of days and hours the first unit is enough.
  return `${seconds < 3600 ? text : text.split(' ').slice(0, 2).join(' ')} ago`
}

/** "2026-11-26 16:40:38 UTC", in the time zone that Airflow's UI shows. */
export function absolute(at: number): string {
  const format = formatter()
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]))
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? ''
  const day = `${part('year')}-${part('month')}-${part('day')}`
  return `${day} ${part('hour')}:${part('minute')}:${part('second')} ${part('timeZoneName')}`
}

/** "16:40:38", in the same time zone. */
export function clock(at: number): string {
  return absolute(at).split(' ')[1] ?? ''
}

const FORMATTERS = new Map<string, Intl.DateTimeFormat>()

function formatter(): Intl.DateTimeFormat {
  const zone = stored('timezone') ?? ''
  const known = FORMATTERS.get(zone)
  if (known) return known
  const made = make(zone) ?? make('') ?? new Intl.DateTimeFormat()
  FORMATTERS.set(zone, made)
  return made
}

function make(zone: string): Intl.DateTimeFormat | null {
  const two = '2-digit'
  try {
    return new Intl.DateTimeFormat('en', {
      year: 'numeric',
      month: two,
      day: two,
      hour: two,
      minute: two,
      second: two,
      hourCycle: 'h23',
      timeZoneName: 'short',
      ...(zone && zone !== 'local' ? { timeZone: zone } : {}),
    })
  } catch {
    return null
  }
}
