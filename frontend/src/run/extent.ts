// Where a bar is in the plot, and where there is place for its text.
import { max, min } from 'd3-array'
import type { Axis } from './axis'
import type { Band, Bar } from './timeline'

/** In percent: of the plot, and `block`, the coloured part, of the width. */
export interface Extent {
  left: number
  width: number
  block: number
  /** The text is left of the block. */
  before: boolean
}

/** Text that has less place than this, in percent of the plot, goes to the side that has more. */
const TIGHT = 10

export function extentOf(bar: Bar, band: Band, axis: Axis, columns: number): Extent {
  if (bar.start === null || bar.end === null) {
    const width = (100 - axis.edge) / Math.max(1, columns)
    return { left: axis.edge + bar.column * width, width, block: 100, before: false }
  }
  const [start, end] = [axis.place(bar.start), axis.place(bar.end)]
  const { from, to } = roomOf(bar, band, axis)
  const [after, ahead] = [Math.max(to, end) - start, end - from]
  const before = after < TIGHT && ahead > 2 * after
  const width = Math.max(before ? ahead : after, 0.1)
  return { left: before ? from : start, width, block: Math.min(100, (100 * (end - start)) / width), before }
}

/** From the end of the bar before it in its lane to the start of the next one. */
function roomOf(bar: Bar, band: Band, axis: Axis): { from: number; to: number } {
  const others = band.bars.filter((other) => other !== bar && other.lane === bar.lane && other.start !== null)
  const next = min(others, ({ start }) => (start! >= bar.start! ? start! : undefined))
  const last = max(others, ({ start, end }) => (start! < bar.start! ? end! : undefined))
  return { from: last === undefined ? 0 : axis.place(last), to: next === undefined ? axis.edge : axis.place(next) }
}
