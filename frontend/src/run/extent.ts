// Where a bar is in the plot, what is written for it, and on which side of its edges.
import { max, min } from 'd3-array'
import { duration } from '../shared/Duration'
import type { Axis } from './axis'
import { attemptSentence } from './sentences'
import type { Band, Bar } from './timeline'

export type Side = 'inside' | 'after' | 'before' | 'nowhere'

/** In percent: of the plot, and `block`, the coloured part, of the width. */
export interface Extent {
  left: number
  width: number
  block: number
  /** Where the text is: never across an edge of the block. */
  side: Side
  text: string
}

/** The plot in pixels, and how wide a text is in it. */
export interface Room {
  width: number
  measure(text: string): number
}

/** What a text needs beside its own width, in pixels: its icon, and space to the edges. */
const BESIDE = 28
/** The narrowest block, in pixels (run.css has the same). */
const LEAST = 6
/** With less room than this, in pixels, not even the icon is shown. */
const NOTHING = 24

/** The extents of all bars of a band, by their keys. */
export function extentsOf(band: Band, axis: Axis, columns: number, room: Room): Map<string, Extent> {
  const extents = new Map<string, Extent>()
  const taken = new Map<number, number>()
  const pixels = (time: number) => (axis.place(time) / 100) * room.width
  const begun = band.bars.filter((bar) => bar.start !== null).sort((a, b) => a.start! - b.start!)
  begun.forEach((bar, index) => {
    const following = begun.slice(index + 1).filter(({ lane }) => lane === bar.lane)
    const start = pixels(bar.start!)
    const end = Math.max(start + LEAST, pixels(bar.end!))
    const to = min(following, (next) => pixels(next.start!)) ?? (axis.edge / 100) * room.width
    const rooms = { inside: end - start, after: to - end, before: start - (taken.get(bar.lane) ?? 0) }
    const { side, text } = chosen(textsOf(bar), rooms, room)
    const size = side === 'inside' || side === 'nowhere' ? 0 : Math.min(rooms[side], room.measure(text) + BESIDE)
    taken.set(bar.lane, side === 'after' ? end + size : end)
    const left = side === 'before' ? start - size : start
    const width = Math.max(end - start + size, 1)
    const percent = 100 / Math.max(1, room.width)
    const block = Math.min(100, (100 * (end - start)) / width)
    extents.set(bar.key, { left: left * percent, width: width * percent, block, side, text })
  })
  for (const bar of band.bars) {
    if (bar.start !== null) continue
    const width = (100 - axis.edge) / Math.max(1, columns)
    extents.set(bar.key, { left: axis.edge + bar.column * width, width, block: 100, side: 'inside', text: bar.workflow.name })
  }
  return extents
}

/** The texts of a bar, from the longest to the shortest. */
export function textsOf({ workflow, start, end }: Bar): string[] {
  const took = start === null || end === null ? '' : duration((end - start) / 1000)
  const attempt = attemptSentence(workflow)
  const { name } = workflow
  const short = [name, took].filter(Boolean).join(', ')
  return attempt ? [`${short}, ${attempt}`, `${name}, ${attempt}`, `${name}, ${attempt.replace('attempt ', '')}`, name] : [short, name]
}

const SIDES = ['inside', 'after', 'before'] as const

/** Rather a shorter text inside of its bar than a longer one outside. */
function chosen(texts: string[], rooms: Record<(typeof SIDES)[number], number>, room: Room): Pick<Extent, 'side' | 'text'> {
  const name = texts.at(-1) ?? ''
  const wishes = [
    ...texts.map((text) => ({ side: SIDES[0], text })),
    ...texts.flatMap((text) => [SIDES[1], SIDES[2]].map((side) => ({ side, text }))),
  ]
  const found = wishes.find(({ side, text }) => room.measure(text) + BESIDE <= rooms[side])
  if (found) return found
  const most = max([rooms.inside, rooms.after, rooms.before]) ?? 0
  return { side: most < NOTHING ? 'nowhere' : (SIDES.find((side) => rooms[side] === most) ?? 'nowhere'), text: name }
}
