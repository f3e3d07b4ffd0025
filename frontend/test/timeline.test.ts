import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axisOf } from '../src/run/axis'
import { extentsOf, type Room } from '../src/run/extent'
import { moved } from '../src/run/keys'
import { isShown, opensAtFirst, shownFirst, shownTask } from '../src/run/place'
import { seenUntil, timelineOf } from '../src/run/timeline'
import { at, image, ms, workflow } from './support'

const GROUP = { parallel_group: 'functional' }
/** A plot of 1000 pixels and a font in which each letter has 7. */
const ROOM: Room = { width: 1000, measure: (text) => text.length * 7 }
const names = (bars: { workflow: { name: string } }[]) => bars.map((bar) => bar.workflow.name)

test('five tests of a group fill five lanes, and the sixth takes the lane that is free first', () => {
  const ends = [50, 60, 30, 70, 80]
  const workflows = ends.map((end, index) => workflow(`t${index}`, 10 + index, end, GROUP))
  const [band] = timelineOf(image({ workflows: [...workflows, workflow('sixth', 31, 90, GROUP)] }), ms(100)).bands
  assert.equal(band?.lanes, 5)
  assert.deepEqual(band?.bars.map(({ lane }) => lane), [0, 1, 2, 3, 4, 2])
})

test('no bar covers another, also where clocks say that six ran at once', () => {
  const workflows = Array.from({ length: 6 }, (_, index) => workflow(`t${index}`, 10, 60, GROUP))
  const [band] = timelineOf(image({ workflows }), ms(100)).bands
  assert.equal(new Set(band?.bars.map(({ lane }) => lane)).size, 6)
  assert.equal(band?.lanes, 6)
})

test('a test without a group is alone, and groups keep their order between build and distribution', () => {
  const workflows = [
    workflow('distribute', null, null, { type: 'DISTRIBUTION' }),
    workflow('smoke', 10, 20, GROUP),
    workflow('soak', 30, 40),
    workflow('functional', 45, 50),
    workflow('ports', 11, 20, GROUP),
    workflow('build', 0, 9, { type: 'BUILD' }),
  ]
  const { bands } = timelineOf(image({ workflows }), ms(100))
  assert.deepEqual(
    bands.map((band) => [band.kind, band.label, names(band.bars)]),
    [
      ['build', 'Build', ['build']],
      ['group', 'functional', ['smoke', 'ports']],
      ['test', 'Test', ['soak']],
      ['test', 'Test', ['functional']],
      ['distribution', 'Distribution', ['distribute']],
    ],
  )
})

test('seven tests that have not begun wait in five lanes, in two columns at the right edge', () => {
  const workflows = Array.from({ length: 7 }, (_, index) => workflow(`t${index}`, null, null, GROUP))
  const timeline = timelineOf(image({ workflows }), ms(100))
  const [band] = timeline.bands
  assert.deepEqual(band?.bars.map(({ lane, column }) => [lane, column]), [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [0, 1], [1, 1]])
  const axis = axisOf(timeline)
  for (const { left, width } of extentsOf(band!, axis, timeline.columns, ROOM).values()) {
    assert.ok(left >= axis.edge && left + width <= 100.001)
  }
})

test('bars of running workflows end now, at the later of both clocks', () => {
  const behind = image({ observed_at: at(100) })
  assert.equal(seenUntil(behind, ms(120), ms(125)), ms(125))
  const ahead = image({ observed_at: at(5000) })
  assert.equal(seenUntil(ahead, ms(120), ms(125)), ms(5005))
  const workflows = [workflow('smoke', 10, null)]
  const [bar] = timelineOf(image({ workflows }), ms(125)).bands[0]!.bars
  assert.equal(bar?.end, ms(125))
  assert.ok(bar?.running)
})

test('a workflow without an end ends with the image, or when its task last saw it', () => {
  const workflows = [workflow('smoke', 10, null)]
  const ended = image({ workflows, ended: true, ended_at: at(200), status: 'CANCELLED' })
  assert.equal(seenUntil(ended, ms(300), ms(900)), ms(200))
  const stale = image({ workflows, stale: true, observed_at: at(100) })
  assert.equal(seenUntil(stale, ms(300), ms(900)), ms(100))
  for (const build of [ended, stale]) {
    assert.equal(timelineOf(build, seenUntil(build, ms(300), ms(900))).bands[0]?.bars[0]?.running, false)
  }
})

test('both lives of a repaired image are in their place, and the long pause between them is short', () => {
  const workflows = [
    workflow('build', 0, 300, { type: 'BUILD' }),
    workflow('smoke', 300, 400, { attempts: 2, outcome: 'failed' }),
    workflow('smoke', 90_000, 90_100, { attempt: 2, attempts: 2 }),
  ]
  const timeline = timelineOf(image({ workflows, ended: true, ended_at: at(90_100) }), ms(90_100))
  const [, tests] = timeline.bands
  assert.deepEqual(tests?.bars.map(({ superseded, lane }) => [superseded, lane]), [[true, 0], [false, 0]])
  const axis = axisOf(timeline)
  assert.equal(axis.pauses.length, 1)
  assert.ok(axis.place(ms(90_000)) - axis.place(ms(400)) < 5)
  assert.ok(axis.place(ms(90_100)) - axis.place(ms(90_000)) > 15)
  assert.ok(axis.ticks.every(({ elapsed }) => elapsed <= 400_000 || elapsed >= 90_000_000))
})

test('times stay in order on the axis, and ticks are not written over each other', () => {
  for (const length of [1, 45, 600, 3600, 86_400, 5_000_000]) {
    const workflows = [workflow('build', 0, length, { type: 'BUILD' })]
    const axis = axisOf(timelineOf(image({ workflows, ended: true, ended_at: at(length) }), ms(length)))
    const places = Array.from({ length: 21 }, (_, index) => axis.place(ms((length * index) / 20)))
    assert.deepEqual(places, [...places].sort((a, b) => a - b))
    assert.ok(axis.ticks.length >= 1 && axis.ticks.length <= 15, `${length} s: ${axis.ticks.length} ticks`)
    axis.ticks.slice(1).forEach((tick, index) => assert.ok(tick.at - axis.ticks[index]!.at >= 7))
  }
})

test('what is not a time, and an end before its start, still draw a bar', () => {
  const workflows = [
    workflow('odd', 50, 20),
    workflow('text', 0, 0, { start: 'yesterday', end: 'soon' }),
    workflow('unknown', 10, 20, { type: 'OTHER' as never }),
  ]
  const timeline = timelineOf(image({ workflows, created_at: 'never', stages: [{ name: 'build', start: '', end: null, outcome: 'running' }] }), ms(100))
  const axis = axisOf(timeline)
  for (const band of timeline.bands) {
    for (const { left, width, block } of extentsOf(band, axis, timeline.columns, ROOM).values()) {
      for (const number of [left, width, block]) assert.ok(Number.isFinite(number))
    }
  }
  assert.equal(timelineOf(image({ created_at: null }), ms(100)).end > ms(99), true)
})

test('text that does not fit its bar is shorter, or beside it in free space, and never across its edge', () => {
  const workflows = [
    workflow('wide', 0, 400, { ...GROUP, attempts: 2 }),
    workflow('repeated', 400, 550, { ...GROUP, attempts: 2 }),
    workflow('tiny', 551, 560, GROUP),
    workflow('a-last-one', 990, 1000, GROUP),
  ]
  const timeline = timelineOf(image({ workflows, ended: true, ended_at: at(1000) }), ms(1000))
  const [band] = timeline.bands
  for (const bar of band!.bars) bar.lane = 0
  const extents = [...extentsOf(band!, axisOf(timeline), 0, ROOM).values()]
  assert.deepEqual(extents.map(({ side, text }) => [side, text]), [
    ['inside', 'wide, 6 min 40 s, attempt 1 of 2'],
    ['inside', 'repeated, 1 of 2'],
    ['after', 'tiny, 9 s'],
    ['before', 'a-last-one, 10 s'],
  ])
  extents.slice(1).forEach(({ left }, index) => {
    const before = extents[index]!
    assert.ok(left >= before.left + before.width - 0.001, 'one button covers another')
  })
})

test('where there is no room at all nothing is written', () => {
  const workflows = [workflow('a', 0, 10, GROUP), workflow('b', 10, 20, GROUP), workflow('c', 20, 1000, GROUP)]
  const timeline = timelineOf(image({ workflows, ended: true, ended_at: at(1000) }), ms(1000))
  const extents = [...extentsOf(timeline.bands[0]!, axisOf(timeline), 0, ROOM).values()]
  assert.deepEqual(extents.map(({ side }) => side), ['nowhere', 'nowhere', 'inside'])
})

test('a narrow plot has a lane for each workflow, in the order of their start', () => {
  const workflows = [workflow('later', null, null, GROUP), workflow('b', 30, 40, GROUP), workflow('a', 10, 20, GROUP)]
  const [band] = timelineOf(image({ workflows }), ms(100), true).bands
  assert.equal(band?.lanes, 3)
  assert.deepEqual(band?.bars.map(({ lane, column }) => [lane, column]), [[2, 0], [1, 0], [0, 0]])
})

test('arrow keys reach every bar, and stop at the ends', () => {
  const workflows = [
    workflow('build', 0, 9, { type: 'BUILD' }),
    workflow('smoke', 10, 20, GROUP),
    workflow('ports', 11, 20, GROUP),
    workflow('later', null, null, GROUP),
  ]
  const { bands } = timelineOf(image({ workflows }), ms(100))
  const all = bands.flatMap((band) => band.bars).map((bar) => bar.key)
  const seen = [all[0]!]
  for (let next = moved(bands, seen[0]!, 'ArrowRight'); next; next = moved(bands, next, 'ArrowRight')) seen.push(next)
  assert.deepEqual([...seen].sort(), [...all].sort())
  assert.equal(moved(bands, seen[0]!, 'ArrowLeft'), null)
  assert.equal(moved(bands, seen[0]!, 'ArrowUp'), null)
  assert.equal(moved(bands, seen[0]!, 'End'), seen.at(-1))
  assert.equal(moved(bands, 'gone', 'ArrowRight'), null)
  assert.equal(moved(bands, seen[0]!, 'Enter'), null)
})

test('the tab of a task marks its own instance; that of a mapped task marks all of them', () => {
  const task = (map_index: number) => ({ task_id: 'bake.test', map_index, state: null, try_number: 1 })
  assert.ok(isShown(task(2), shownTask('bake.test', '2')))
  assert.ok(!isShown(task(3), shownTask('bake.test', '2')))
  assert.ok(isShown(task(3), shownTask('bake.test', undefined)))
  assert.ok(isShown(task(-1), shownTask('bake.test', '-1')))
  assert.ok(!isShown(null, shownTask('bake.test', undefined)))
  assert.ok(!isShown(task(0), shownTask(undefined, undefined)))
})

test('of many images only those are open that a reader came for', () => {
  const made = (map_index: number, ended: boolean) =>
    image({ ended, task: { task_id: 'bake', map_index, state: null, try_number: 1 } })
  const images = [made(0, true), made(1, true), made(2, false), made(3, true)]
  const open = (taskId?: string, index?: string) => images.map((build) => opensAtFirst(build, images, shownTask(taskId, index)))
  assert.deepEqual(open(), [false, false, true, false])
  assert.deepEqual(open('bake', '3'), [false, false, false, true])
})

test('in the tab of a task its image comes first, and it alone is open; the others keep their order', () => {
  const images = [0, 1, 2].map((map_index) => image({ task: { task_id: 'bake', map_index, state: null, try_number: 1 } }))
  const shown = shownTask('bake', '2')
  assert.deepEqual(shownFirst(images, shown), [images[2], images[0], images[1]])
  assert.deepEqual(images.map((build) => opensAtFirst(build, images, shown)), [false, false, true])
  assert.deepEqual(shownFirst(images, shownTask('other', undefined)), images)
})
