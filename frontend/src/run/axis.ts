// The time axis: one scale for all bars, with ticks that a person would choose, and long pauses made short.
import { range } from 'd3-array'
import { scaleLinear } from 'd3-scale'
import type { Timeline } from './timeline'

export interface Pause {
  start: number
  end: number
}

export interface Tick {
  /** Milliseconds since the start. */
  elapsed: number
  /** Percent of the width. */
  at: number
}

export interface Axis {
  /** Percent of the width for a time. */
  place(time: number): number
  ticks: Tick[]
  pauses: Pause[]
  /** Percent: what is right of it is for workflows that have not begun. */
  edge: number
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const STEPS = [1000, 5000, 15_000, 30_000]
  .concat([1, 2, 5, 10, 15, 30].map((count) => count * MINUTE))
  .concat([1, 2, 3, 6, 12, 24, 48, 120, 240, 720].map((count) => count * HOUR))
const PAUSE_SHARE = 4
/** Ticks that are closer together, in pixels, would be written over each other. */
const CLOSEST = 85
/** A tick that is closer to the right edge, in pixels, would be cut. */
const LAST = 75

/** The least width of what has not begun, in pixels: of its two words. */
const LATER = 76

/** `width` in pixels. */
export function axisOf(timeline: Timeline, width = 1000): Axis {
  const edge = timeline.columns ? Math.max(50, Math.min(92 - 14 * timeline.columns, 100 - LATER * (100 / width))) : 100
  const pauses = pausesOf(timeline)
  const busy = timeline.end - timeline.start - pauses.reduce((sum, pause) => sum + pause.end - pause.start, 0)
  const share = edge - pauses.length * PAUSE_SHARE
  const domain = [timeline.start]
  const places = [0]
  const reach = (time: number, width: number) => {
    domain.push(time)
    places.push(places.at(-1)! + width)
  }
  for (const pause of pauses) {
    reach(pause.start, ((pause.start - domain.at(-1)!) / busy) * share)
    reach(pause.end, PAUSE_SHARE)
  }
  reach(timeline.end, ((timeline.end - domain.at(-1)!) / busy) * share)
  const scale = scaleLinear(domain, places).clamp(true)
  return { place: scale, ticks: ticksOf(timeline, scale, pauses, { busy, edge, percent: 100 / Math.max(1, width) }), pauses, edge }
}

/** Times between two lives of an image in which nothing ran, if they would make the bars too small to see. */
function pausesOf({ start, end, bands }: Timeline): Pause[] {
  const spans = bands
    .flatMap(({ bars }) => bars)
    .flatMap((bar) => (bar.start === null || bar.end === null ? [] : [{ start: bar.start, end: bar.end }]))
    .sort((a, b) => a.start - b.start)
  const idle: Pause[] = []
  let until = spans[0]?.end ?? end
  for (const span of spans) {
    if (span.start > until) idle.push({ start: until, end: span.start })
    until = Math.max(until, span.end)
  }
  const busy = end - start - idle.reduce((sum, pause) => sum + pause.end - pause.start, 0)
  return idle.filter((pause) => pause.end - pause.start > Math.max(busy / 2, 10 * MINUTE))
}

interface Plot {
  busy: number
  edge: number
  /** Of one pixel. */
  percent: number
}

function ticksOf(timeline: Timeline, place: (time: number) => number, pauses: Pause[], { busy, edge, percent }: Plot): Tick[] {
  const step = STEPS.find((size) => busy / size <= 8) ?? STEPS.at(-1)!
  const length = timeline.end - timeline.start
  if (length / step > 10_000) return []
  const ticks: Tick[] = []
  for (const elapsed of range(0, length + 1, step)) {
    const time = timeline.start + elapsed
    if (pauses.some((pause) => time > pause.start && time < pause.end)) continue
    const at = place(time)
    const last = ticks.at(-1)
    if (!last || (at <= edge - LAST * percent && at - last.at >= CLOSEST * percent)) ticks.push({ elapsed, at })
  }
  return ticks
}
