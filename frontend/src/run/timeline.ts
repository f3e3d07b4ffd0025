// The timeline of an image as data: which bar is in which band, in which lane, from when to when.
import { groups, max, min } from 'd3-array'
import type { Build, Stage, Workflow } from '../api'
import { milliseconds } from '../shared/Time'

/** AWS runs at most five test workflows of a group at once. */
export const LANES = 5

export interface Bar {
  key: string
  workflow: Workflow
  /** Milliseconds since 1970; null for a workflow that has not begun. */
  start: number | null
  end: number | null
  running: boolean
  /** A repair has run this workflow again since. */
  superseded: boolean
  lane: number
  /** Of bars that have not begun: the place in its lane. */
  column: number
}

export interface Band {
  key: string
  kind: 'build' | 'group' | 'test' | 'distribution'
  label: string
  lanes: number
  bars: Bar[]
}

export interface Segment {
  stage: Stage
  start: number
  end: number
}

export interface Timeline {
  start: number
  end: number
  segments: Segment[]
  bands: Band[]
  /** The most bars in a row that have not begun. */
  columns: number
}

/**
 * When the image was seen last, counted on to now: where bars of running workflows end.
 *
 * AWS's clock may run ahead of the server's, then its newest time counts on from when the server answered.
 */
export function seenUntil(build: Build, answeredAt: number, now: number): number {
  const observed = milliseconds(build.observed_at) ?? now
  if (build.ended) return milliseconds(build.ended_at) ?? observed
  if (build.stale) return observed
  return Math.max(observed + (now - answeredAt), now)
}

/** `stacked`: each workflow has a lane of its own. */
export function timelineOf(build: Build, until: number, stacked = false): Timeline {
  const bands = bandsOf(build, until)
  if (stacked) bands.forEach(stack)
  const bars = bands.flatMap((band) => band.bars)
  const segments = build.stages.flatMap((stage) => segmentOf(stage, until))
  const times = [
    milliseconds(build.created_at),
    ...segments.flatMap(({ start, end }) => [start, end]),
    ...bars.flatMap(({ start, end }) => [start, end]),
  ].filter((time) => time !== null)
  const start = min(times) ?? until
  const moves = !build.ended && !build.stale
  const end = Math.max(start + 1000, max(times) ?? until, moves ? until : start)
  return { start, end, segments, bands, columns: max(bars, (bar) => (bar.start === null ? bar.column + 1 : 0)) ?? 0 }
}

function segmentOf(stage: Stage, until: number): Segment[] {
  const start = milliseconds(stage.start)
  if (start === null) return []
  return [{ stage, start, end: Math.max(start, milliseconds(stage.end) ?? until) }]
}

function stack(band: Band): void {
  const inOrder = [...band.bars].sort((a, b) => (a.start ?? Infinity) - (b.start ?? Infinity) || 0)
  inOrder.forEach((bar, index) => {
    bar.lane = index
    bar.column = 0
  })
  band.lanes = Math.max(1, inOrder.length)
}

const ORDER = { BUILD: 0, TEST: 1, DISTRIBUTION: 2 }

function bandsOf(build: Build, until: number): Band[] {
  const ordered = build.workflows
    .map((workflow, index) => ({ workflow, index }))
    .sort((a, b) => (ORDER[a.workflow.type] ?? 1) - (ORDER[b.workflow.type] ?? 1) || a.index - b.index)
  return groups(ordered, ({ workflow }) => bandKey(workflow)).map(([key, members]) => {
    const first = members[0]!.workflow
    const grouped = first.type === 'TEST' && first.parallel_group !== null
    const bars = members.map(({ workflow, index }) => barOf(workflow, index, build, until))
    const limit = grouped ? LANES : 1
    return { key, kind: kindOf(first), label: labelOf(first), bars, lanes: fillLanes(bars, limit) }
  })
}

function bandKey({ type, parallel_group, name }: Workflow): string {
  if (type !== 'TEST') return type
  return parallel_group === null ? `test ${name}` : `group ${parallel_group}`
}

function kindOf({ type, parallel_group }: Workflow): Band['kind'] {
  if (type === 'BUILD') return 'build'
  if (type === 'DISTRIBUTION') return 'distribution'
  return parallel_group === null ? 'test' : 'group'
}

function labelOf({ type, parallel_group }: Workflow): string {
  if (type === 'BUILD') return 'Build'
  if (type === 'DISTRIBUTION') return 'Distribution'
  return parallel_group ?? 'Test'
}

function barOf(workflow: Workflow, index: number, build: Build, until: number): Bar {
  const start = milliseconds(workflow.start)
  const end = milliseconds(workflow.end)
  return {
    key: workflow.execution_id ?? `${index} ${workflow.type} ${workflow.name}`,
    workflow,
    start,
    end: start === null ? null : Math.max(start, end ?? until),
    running: start !== null && end === null && !build.ended && !build.stale,
    superseded: workflow.attempt < workflow.attempts,
    lane: 0,
    column: 0,
  }
}

/**
 * Give each bar the first lane that is free when it begins, and return how many lanes there are.
 *
 * Where the times say that more run at once than there are lanes, there is one more: no bar ever covers another.
 */
export function fillLanes(bars: Bar[], limit: number): number {
  const free: number[] = []
  const begun = bars.filter((bar) => bar.start !== null).sort((a, b) => a.start! - b.start!)
  for (const bar of begun) {
    const found = free.findIndex((since) => since <= bar.start!)
    bar.lane = found < 0 ? free.length : found
    free[bar.lane] = bar.end!
  }
  const waiting = bars.filter((bar) => bar.start === null)
  waiting.forEach((bar, index) => {
    bar.lane = index % limit
    bar.column = Math.floor(index / limit)
  })
  return Math.max(1, free.length, Math.min(limit, waiting.length))
}
