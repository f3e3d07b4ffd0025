// Durations as people read them: two units at most.

const UNITS: readonly (readonly [seconds: number, unit: string])[] = [
  [86400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
]

/** 130 -> "2 min 10 s"; null -> "". */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return ''
  const whole = Math.max(0, Math.round(seconds))
  const first = UNITS.findIndex(([size]) => whole >= size)
  const [size, unit] = UNITS[first] ?? [1, 's']
  const next = UNITS[first + 1]
  if (!next) return `${Math.floor(whole / size)} ${unit}`
  const rest = Math.floor((whole % size) / next[0])
  return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${next[1]}` : ''}`
}

/** About how long, in one unit: 130 -> "2 min", 40 -> "40 s", 7000 -> "1 h 57 min". */
export function about(seconds: number): string {
  const step = seconds < 60 ? 5 : 60
  return duration(Math.max(step, Math.round(seconds / step) * step))
}
