// The drawing of a trend. It is one stop of the Tab key: arrow keys go from image to image, Enter follows to its run.
import { symbol, symbolCircle, symbolTimes } from 'd3-shape'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { TrendPoint } from '../../api'
import { followed } from '../../shared/Link'
import { duration } from '../../shared/Duration'
import { absolute } from '../../shared/Time'
import { usePage } from '../context'
import { described, type Kind, type Placed, plot, type Plot, SIZE } from './plot'
import { wordOf } from './Trend'

const MARKS: Record<Kind, string> = {
  good: symbol(symbolCircle, 36)() ?? '',
  bad: symbol(symbolTimes, 56)() ?? '',
  open: symbol(symbolCircle, 36)() ?? '',
}

export function Chart({ points }: { points: TrendPoint[] }) {
  const frame = useRef<HTMLDivElement>(null)
  const width = useWidth(frame)
  const drawn = plot(points, width)
  const last = drawn.placed.length - 1
  const [chosen, choose] = useState<string | null>(null)
  const found = drawn.placed.findIndex(({ point }) => idOf(point) === chosen)
  const at = found < 0 ? last : found
  const turn = (event: KeyboardEvent): void => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last }[event.key]
    if (to === undefined) return
    event.preventDefault()
    const index = Math.max(0, Math.min(last, to))
    frame.current?.querySelectorAll<SVGElement>('a')[index]?.focus()
  }
  return (
    <div class="ib-chart" ref={frame}>
      <svg
        width={drawn.width}
        height={drawn.height}
        viewBox={`0 0 ${drawn.width} ${drawn.height}`}
        role="group"
        aria-labelledby="ib-trend-title"
        aria-describedby="ib-trend-described"
        onKeyDown={turn}
      >
        <Axes drawn={drawn} />
        <path class="ib-curve ib-curve-duration" d={drawn.durations} />
        {drawn.counted && <path class="ib-curve ib-curve-high" d={drawn.highs} />}
        {drawn.counted && <path class="ib-curve ib-curve-critical" d={drawn.criticals} />}
        {drawn.placed.map((placed, index) => (
          <Point
            key={idOf(placed.point)}
            placed={placed}
            drawn={drawn}
            isStop={index === at}
            choose={() => choose(idOf(placed.point))}
          />
        ))}
      </svg>
      <p class="ib-text ib-chosen">{drawn.placed[at] && valuesOf(drawn.placed[at].point)}</p>
      <Legend counted={drawn.counted} />
      <p id="ib-trend-described" class="ib-muted">
        {described(points)} {last > 0 && 'Arrow keys go from image to image.'} Enter opens its run.
      </p>
    </div>
  )
}

/** The last images move on when one more is built; the chosen one stays the same. */
const idOf = ({ version, created_at, run_id }: TrendPoint): string => JSON.stringify([version, created_at, run_id])

interface PointProperties {
  placed: Placed
  drawn: Plot
  isStop: boolean
  choose: () => void
}

function Point({ placed, drawn, isStop, choose }: PointProperties) {
  const { navigation } = usePage()
  const { point, kind, x, from, to } = placed
  const path = navigation.run(point.dag_id, point.run_id)
  const ground = drawn.counted ? drawn.findingsBottom : drawn.durationBottom
  return (
    <a
      href={path}
      class={isStop ? 'ib-point ib-point-chosen' : 'ib-point'}
      tabindex={isStop ? 0 : -1}
      aria-label={valuesOf(point)}
      onFocus={choose}
      onMouseEnter={choose}
      onClick={(event: MouseEvent) => followed(event, path, navigation)}
    >
      <rect class="ib-strip" x={from} y={SIZE.top - 8} width={to - from} height={ground - SIZE.top + 8} />
      <path
        class={`ib-dot ib-dot-${kind}`}
        d={MARKS[kind]}
        transform={`translate(${x} ${placed.duration ?? drawn.durationBottom})`}
      />
      {placed.dotted && placed.high !== null && (
        <circle class="ib-dot ib-dot-high" cx={x} cy={placed.high} r={2.5} />
      )}
      {placed.dotted && placed.critical !== null && (
        <circle class="ib-dot ib-dot-critical" cx={x} cy={placed.critical} r={2.5} />
      )}
    </a>
  )
}

function Axes({ drawn }: { drawn: Plot }) {
  const right = drawn.width - SIZE.right
  const ticks = drawn.counted ? [...drawn.durationTicks, ...drawn.findingTicks] : drawn.durationTicks
  return (
    <g aria-hidden="true">
      {ticks.map(({ at, text }) => (
        <g key={`${at}`}>
          <line class="ib-grid" x1={SIZE.left} x2={right} y1={at} y2={at} />
          <text class="ib-scale" x={SIZE.left - 6} y={at} dy="0.32em" text-anchor="end">
            {text}
          </text>
        </g>
      ))}
      {drawn.dateTicks.map(({ at, text }, index) => (
        <text key={index} class="ib-scale" x={at} y={drawn.height - 6} text-anchor={anchor(at, drawn.width)}>
          {text}
        </text>
      ))}
      {drawn.counted && (
        <text class="ib-scale" x={SIZE.left} y={drawn.findingsTop - 10}>
          Findings
        </text>
      )}
    </g>
  )
}

/** The text of a date stays within the drawing. */
function anchor(at: number, width: number): 'start' | 'middle' | 'end' {
  if (at > width - 44) return 'end'
  return at < 44 ? 'start' : 'middle'
}

function Legend({ counted }: { counted: boolean }) {
  const entries: [string, Kind | 'high' | 'critical'][] = [
    ['became available', 'good'],
    ['failed or cancelled', 'bad'],
    ['in progress, or not followed to its end', 'open'],
  ]
  if (counted) entries.push(['critical findings', 'critical'], ['high findings', 'high'])
  return (
    <ul class="ib-legend">
      {entries.map(([text, kind]) => (
        <li key={kind}>
          <svg width="16" height="12" viewBox="-8 -6 16 12" aria-hidden="true">
            {(kind === 'high' || kind === 'critical') && <path class={`ib-curve ib-curve-${kind}`} d="M-8 0H8" />}
            {kind in MARKS ? (
              <path class={`ib-dot ib-dot-${kind}`} d={MARKS[kind as Kind]} />
            ) : (
              <circle class={`ib-dot ib-dot-${kind}`} r={2.5} />
            )}
          </svg>
          {text}
        </li>
      ))}
    </ul>
  )
}

function valuesOf(point: TrendPoint): string {
  const at = Date.parse(point.created_at)
  const parts = [point.version, Number.isNaN(at) ? '' : absolute(at), wordOf(point), duration(point.duration)]
  if (point.critical !== null) parts.push(`${point.critical} critical`)
  if (point.high !== null) parts.push(`${point.high} high`)
  return parts.filter(Boolean).join(', ')
}

function useWidth(element: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(640)
  useLayoutEffect(() => setWidth(element.current?.clientWidth || 640), [])
  useEffect(() => {
    if (!element.current || typeof ResizeObserver === 'undefined') return
    const observer = new ResizeObserver(() => setWidth(element.current?.clientWidth || 640))
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [])
  return width
}
