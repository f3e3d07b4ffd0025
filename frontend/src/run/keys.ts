// Which bar a key leads to: left and right in the order of reading, up and down to the next lane with a bar.
import type { Band, Bar } from './timeline'

interface Placed {
  bar: Bar
  row: number
  at: number
}

/** The key of the bar to which `pressed` leads, or null where it leads nowhere. */
export function moved(bands: readonly Band[], from: string, pressed: string): string | null {
  const placed = placedBars(bands)
  const index = placed.findIndex(({ bar }) => bar.key === from)
  const here = placed[index]
  if (!here) return null
  const next = {
    ArrowRight: placed[index + 1],
    ArrowLeft: placed[index - 1],
    Home: placed[0],
    End: placed.at(-1),
    ArrowDown: nearest(placed, here, 1),
    ArrowUp: nearest(placed, here, -1),
  }[pressed]
  return next ? next.bar.key : null
}

function placedBars(bands: readonly Band[]): Placed[] {
  let row = 0
  const placed: Placed[] = []
  for (const band of bands) {
    for (const bar of band.bars) placed.push({ bar, row: row + bar.lane, at: bar.start ?? Number.MAX_SAFE_INTEGER })
    row += band.lanes
  }
  return placed.sort((a, b) => a.row - b.row || a.at - b.at || a.bar.column - b.bar.column)
}

function nearest(placed: readonly Placed[], here: Placed, direction: 1 | -1): Placed | undefined {
  const rows = placed.map(({ row }) => row).filter((row) => (row - here.row) * direction > 0)
  if (!rows.length) return undefined
  const row = direction > 0 ? Math.min(...rows) : Math.max(...rows)
  return placed
    .filter((other) => other.row === row)
    .sort((a, b) => Math.abs(a.at - here.at) - Math.abs(b.at - here.at))[0]
}
