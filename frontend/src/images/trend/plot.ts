// Where the points of a trend are drawn. One step a build, oldest first: builds come in bursts and pauses, and on an
// axis of time those of one afternoon would lie on each other.
import { scaleLinear, scalePoint } from 'd3-scale'
import { line } from 'd3-shape'
import type { TrendPoint } from '../../api'

export const SIZE = { left: 52, right: 12, top: 14, duration: 150, gap: 30, findings: 90, bottom: 26 }

export type Kind = 'good' | 'bad' | 'open'

export interface Placed {
  point: TrendPoint
  kind: Kind
  x: number
  /** The borders of the strip of the chart that belongs to this point. */
  from: number
  to: number
  duration: number | null
  critical: number | null
  high: number | null
  /** Whether its findings are dots on the lines: where there is room, and where no line leads to them. */
  dotted: boolean
}

export interface Tick {
  at: number
  text: string
}

export interface Plot {
  width: number
  height: number
  placed: Placed[]
  /** The path through the images that became available: a failed build is marked beside it. */
  durations: string
  criticals: string
  highs: string
  durationTicks: Tick[]
  findingTicks: Tick[]
  dateTicks: Tick[]
  /** Where the lower chart begins and ends. */
  findingsTop: number
  findingsBottom: number
  durationBottom: number
  /** Whether any image has counted findings. */
  counted: boolean
}

/** Pixels between two points, from which on dots do not cover the line. */
const ROOM = 6

/** Pixels of the strip of a point, where there are few. */
const WIDEST = 48

const GOOD = new Set(['AVAILABLE', 'DEPRECATED', 'DISABLED', 'DELETED'])
const BAD = new Set(['FAILED', 'CANCELLED'])

export function kindOf(status: string): Kind {
  return GOOD.has(status) ? 'good' : BAD.has(status) ? 'bad' : 'open'
}

/** Return the points oldest first, whatever order they come in. */
export function inOrder(points: readonly TrendPoint[]): TrendPoint[] {
  return [...points].sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at))
}

/** Return the drawing of a trend that is `width` pixels wide. */
export function plot(points: readonly TrendPoint[], width: number): Plot {
  const ordered = inOrder(points)
  const right = Math.max(width - SIZE.right, SIZE.left + 1)
  const across = scalePoint<number>(ordered.keys(), [SIZE.left, right]).padding(0.5)
  const half = Math.min(Math.max(across.step(), 1), WIDEST) / 2
  const timed = ordered.some((point) => point.duration !== null)
  const durationBottom = SIZE.top + SIZE.duration
  const findingsTop = durationBottom + SIZE.gap
  const findingsBottom = findingsTop + SIZE.findings
  const unit = unitOf(most(ordered.map((point) => point.duration)))
  const up = scaleLinear([0, top(ordered.map((p) => p.duration)) / unit.seconds], [durationBottom, SIZE.top]).nice(4)
  const counts = ordered.flatMap((point) => [point.critical, point.high])
  const findingsUp = scaleLinear([0, top(counts)], [findingsBottom, findingsTop]).nice(3)
  const counted = counts.some((count) => count !== null)
  const placed = ordered.map((point, index): Placed => {
    const x = across(index) ?? SIZE.left
    return {
      point,
      kind: kindOf(point.status),
      x,
      from: x - half,
      to: x + half,
      // A clock that was put back makes a negative one.
      duration: point.duration === null ? null : up(Math.max(0, point.duration) / unit.seconds),
      critical: point.critical === null ? null : findingsUp(point.critical),
      high: point.high === null ? null : findingsUp(point.high),
      dotted: half * 2 >= ROOM || (isUncounted(ordered[index - 1]) && isUncounted(ordered[index + 1])),
    }
  })
  return {
    width,
    height: (counted ? findingsBottom : durationBottom) + SIZE.bottom,
    placed,
    durations: path(placed.filter(({ kind }) => kind === 'good'), 'duration'),
    criticals: path(placed, 'critical'),
    highs: path(placed, 'high'),
    durationTicks: (timed ? up.ticks(4) : []).map((value) => ({ at: up(value), text: `${value} ${unit.name}` })),
    // Findings are counted: between 1 and 2 there is nothing to name.
    findingTicks: findingsUp
      .ticks(3)
      .filter(Number.isInteger)
      .map((value) => ({ at: findingsUp(value), text: value.toLocaleString('en') })),
    dateTicks: dates(placed, right - SIZE.left),
    findingsTop,
    findingsBottom,
    durationBottom,
    counted,
  }
}

/** Return a path through the points that have a value; where one is unknown, the line has a gap. */
function path(placed: Placed[], member: 'duration' | 'critical' | 'high'): string {
  const drawn = line<Placed>()
    .x(({ x }) => x)
    .y((each) => each[member] ?? 0)
    .defined((each) => each[member] !== null)
    .digits(1)
  return drawn(placed) ?? ''
}

function isUncounted(point: TrendPoint | undefined): boolean {
  return !point || (point.critical === null && point.high === null)
}

function most(values: (number | null)[]): number {
  return Math.max(0, ...values.filter((value) => value !== null && Number.isFinite(value)).map(Number))
}

/** Return the upper end of an axis: not zero, so that a value of zero lies on the ground. */
function top(values: (number | null)[]): number {
  return most(values) || 1
}

function unitOf(seconds: number): { seconds: number; name: string } {
  if (seconds < 120) return { seconds: 1, name: 's' }
  return seconds < 4 * 3600 ? { seconds: 60, name: 'min' } : { seconds: 3600, name: 'h' }
}

/** Return dates for the axis, as many as have room, in equal steps back from the newest point. */
function dates(placed: Placed[], room: number): Tick[] {
  const most = Math.max(room < 160 ? 1 : 2, Math.floor(room / 120))
  const step = Math.ceil(placed.length / most)
  return placed
    .filter((_, index) => (placed.length - 1 - index) % step === 0)
    .map(({ x, point }) => ({ at: x, text: point.created_at.slice(0, 10) }))
}

/** Return a sentence that says what the drawing shows. */
export function described(points: readonly TrendPoint[]): string {
  const ordered = inOrder(points)
  const good = ordered.filter((point) => kindOf(point.status) === 'good')
  const bad = ordered.filter((point) => kindOf(point.status) === 'bad').length
  const durations = good.flatMap(({ duration }) => (duration === null ? [] : [duration]))
  const parts = [ordered.length === 1 ? '1 image' : `${ordered.length} images, oldest first`]
  if (durations.length) {
    const [least, greatest] = [Math.min(...durations), Math.max(...durations)]
    parts.push(`images that became available took ${minutes(least)} to ${minutes(greatest)}`)
  }
  if (bad) parts.push(`${bad} failed or cancelled`)
  const counted = ordered.filter((point) => point.critical !== null || point.high !== null)
  const newest = counted.at(-1)
  if (newest) parts.push(`newest counts: ${newest.critical ?? 0} critical, ${newest.high ?? 0} high findings`)
  return `${parts.join('; ')}.`
}

function minutes(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} seconds` : `${Math.round(seconds / 60)} minutes`
}
