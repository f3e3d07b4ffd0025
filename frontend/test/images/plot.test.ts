import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TrendPoint } from '../../src/api'
import { described, plot, SIZE } from '../../src/images/trend/plot'

function point(day: number, more: Partial<TrendPoint> = {}): TrendPoint {
  return {
    version: `1.0.${day}/1`,
    created_at: `2026-01-${String(day).padStart(2, '0')}T00:00:00Z`,
    duration: 600 * day,
    status: 'AVAILABLE',
    critical: null,
    high: null,
    findings: null,
    dag_id: 'd',
    run_id: `r${day}`,
    ...more,
  }
}

const numbers = (path: string): number[] => path.match(/-?\d+(\.\d+)?/g)?.map(Number) ?? []
const pieces = (path: string): number => path.split('M').length - 1

test('points are drawn oldest first, whatever order they come in', () => {
  const { placed } = plot([point(3), point(1), point(2)], 600)
  assert.deepEqual(placed.map(({ point: { version } }) => version), ['1.0.1/1', '1.0.2/1', '1.0.3/1'])
  assert.ok(placed.every((each, index) => index === 0 || each.x > (placed[index - 1]?.x ?? 0)))
})

test('a longer build is drawn higher, and all lie within the chart', () => {
  const { placed, durationBottom, width } = plot([point(1), point(2), point(31)], 600)
  const heights = placed.map(({ duration }) => duration ?? 0)
  assert.ok((heights[0] ?? 0) > (heights[1] ?? 0) && (heights[1] ?? 0) > (heights[2] ?? 0))
  assert.ok(heights.every((y) => y >= SIZE.top && y <= durationBottom))
  assert.ok(placed.every(({ from, to }) => from >= 0 && to <= width && from < to))
})

test('one point is in the middle, with strips and ticks that are numbers', () => {
  const { placed, durations, dateTicks } = plot([point(5, { critical: 0, high: 0 })], 600)
  assert.equal(placed.length, 1)
  assert.equal(placed[0]?.x, (SIZE.left + 600 - SIZE.right) / 2)
  assert.ok(!durations.includes('NaN'))
  assert.deepEqual(dateTicks.map(({ text }) => text), ['2026-01-05'])
})

test('no point, and points without any value, draw nothing that is not a number', () => {
  for (const points of [[], [point(1, { duration: null })], [point(1, { duration: 0 }), point(2, { duration: 0 })]]) {
    const drawn = plot(points, 600)
    for (const path of [drawn.durations, drawn.criticals, drawn.highs]) assert.ok(!path.includes('NaN'))
    assert.ok([...drawn.durationTicks, ...drawn.dateTicks].every(({ at }) => Number.isFinite(at)))
  }
})

test('where a count is unknown the line has a gap: unknown is not zero', () => {
  const counts = [1, 2, null, 4, 5]
  const { criticals, placed, counted } = plot(counts.map((critical, day) => point(day + 1, { critical })), 600)
  assert.equal(counted, true)
  assert.equal(pieces(criticals), 2)
  assert.equal(placed[2]?.critical, null)
})

test('where there is no room for dots, one stays where no line leads', () => {
  const counts = [1, 2, null, 4, null, 6]
  const points = counts.map((critical, day) => point(day + 1, { critical }))
  assert.deepEqual(plot(points, 600).placed.map(({ dotted }) => dotted), [true, true, true, true, true, true])
  const narrow = plot(points, 80).placed
  assert.deepEqual(narrow.map(({ dotted }) => dotted), [false, false, false, true, false, true])
})

test('zero findings lie on the ground, and their ticks are whole numbers', () => {
  const { placed, findingsBottom, findingTicks } = plot([point(1, { critical: 0 }), point(2, { critical: 1 })], 600)
  assert.equal(placed[0]?.critical, findingsBottom)
  assert.deepEqual(findingTicks.map(({ text }) => text), ['0', '1'])
})

test('failed builds are marked, and the line passes them by', () => {
  const { placed, durations } = plot([point(1), point(2, { status: 'FAILED', duration: 5 }), point(3)], 600)
  assert.deepEqual(placed.map(({ kind }) => kind), ['good', 'bad', 'good'])
  assert.equal(numbers(durations).length, 4)
  assert.equal(pieces(durations), 1)
})

test('a build that lasts has no duration: it is neither good nor bad', () => {
  const { placed } = plot([point(1), point(2, { status: 'TESTING', duration: null })], 600)
  assert.deepEqual([placed[1]?.kind, placed[1]?.duration], ['open', null])
})

test('a negative duration, of a clock that was put back, lies on the ground', () => {
  const { placed, durationBottom } = plot([point(1, { duration: -50 }), point(2)], 600)
  assert.equal(placed[0]?.duration, durationBottom)
})

test('units follow the longest build', () => {
  const unit = (duration: number): string | undefined => plot([point(1, { duration })], 600).durationTicks.at(-1)?.text
  assert.match(unit(40) ?? '', / s$/)
  assert.match(unit(3000) ?? '', / min$/)
  assert.match(unit(40000) ?? '', / h$/)
})

test('a hundred points on a narrow screen keep their order, and the dates do not lie on each other', () => {
  const points = Array.from({ length: 100 }, (_, n) =>
    point(1, { version: String(n), created_at: new Date(Date.UTC(2026, 0, 1 + n)).toISOString() }),
  )
  const { placed, dateTicks } = plot(points, 320)
  assert.equal(placed.length, 100)
  const at = dateTicks.map((tick) => tick.at)
  assert.equal(at.length, 2)
  assert.ok(at.every((x, index) => index === 0 || x - (at[index - 1] ?? 0) > 70), String(at))
})

test('the description says how many, how long, how many failed, and the newest counts', () => {
  const points = [point(1), point(2, { status: 'FAILED' }), point(3, { critical: 2, high: 0 })]
  assert.equal(
    described(points),
    '3 images, oldest first; images that became available took 10 minutes to 30 minutes; 1 failed or cancelled; ' +
      'newest counts: 2 critical, 0 high findings.',
  )
  assert.equal(described([point(1, { duration: null, status: 'BUILDING' })]), '1 image.')
})
