import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Estimate } from '../src/api'
import { estimateSentence, minutesSentence, scanSentence, workflowSentence } from '../src/run/sentences'
import { about, duration } from '../src/shared/Duration'
import { relative } from '../src/shared/Time'
import { workflow } from './support'

const ESTIMATE: Estimate = {
  based_on: 7,
  median: 840,
  fastest: 480,
  slowest: 1140,
  elapsed: 100,
  remaining: 720,
  remaining_low: 480,
  remaining_high: 1140,
  slower_than_all: false,
}
const text = (members: Partial<Estimate>, ended = false) => estimateSentence({ ...ESTIMATE, ...members }, ended)?.text

test('an estimate says its spread and what it is made from', () => {
  assert.equal(text({}), 'about 12 min left (8 to 19), from the last 7 builds')
  assert.equal(text({ remaining: 50, remaining_low: 20, remaining_high: 90 }), 'about 50 s left (20 s to 2 min), from the last 7 builds')
  assert.equal(text({ based_on: 1, remaining_low: 720, remaining_high: 720 }), 'about 12 min left, from the last build')
})

test('without history there is no estimate', () => {
  assert.equal(estimateSentence(null, false), null)
  assert.equal(text({ based_on: 0 }), undefined)
  assert.equal(text({ remaining: null }), undefined)
})

test('a build that is slower than all of them is a warning, while it runs and after', () => {
  for (const ended of [false, true]) {
    const sentence = estimateSentence({ ...ESTIMATE, remaining: null, slower_than_all: true }, ended)
    assert.deepEqual(sentence, { text: 'slower than all of the last 7 builds (8 to 19 min)', warning: true })
  }
  assert.equal(text({ based_on: 1, fastest: 480, slowest: 480, slower_than_all: true }), 'slower than the last build (8 min)')
})

test('an image that has ended is compared, and has nothing left', () => {
  assert.equal(text({ remaining: null }, true), 'the last 7 builds took 14 min (8 to 19)')
})

test('durations have two units at most', () => {
  assert.deepEqual([0, 45, 59.7, 130, 3600, 3840, 90_000].map(duration), ['0 s', '45 s', '1 min', '2 min 10 s', '1 h', '1 h 4 min', '1 d 1 h'])
  assert.deepEqual([duration(null), duration(NaN), duration(-3)], ['', '', '0 s'])
  assert.deepEqual([1, 40, 58, 130, 7000].map(about), ['5 s', '40 s', '1 min', '2 min', '1 h 57 min'])
})

test('a time that is ahead of the clock by more than a minute has no age', () => {
  assert.equal(relative(10_000, 1000), 'just now')
  assert.equal(relative(61_000, 1000), 'just now')
  assert.equal(relative(61_001, 1000), '')
  assert.equal(relative(17 * 3_600_000, 1000), '')
  assert.equal(relative(0, 130_000), '2 min 10 s ago')
  assert.equal(relative(0, 3_900_000), '1 h ago')
})

test('costs are there only where prices are', () => {
  const minutes = { total: 6.4, instance_types: ['m5.large'], cost_low: 0.12, cost_high: 0.31, currency: 'USD' }
  assert.equal(minutesSentence(minutes), '6.4 on m5.large; 0.12 to 0.31 USD by your prices')
  assert.equal(minutesSentence({ ...minutes, cost_high: 0.12 }), '6.4 on m5.large; 0.12 USD by your prices')
  assert.equal(minutesSentence({ ...minutes, cost_low: null }), '6.4 on m5.large')
  assert.equal(minutesSentence({ ...minutes, instance_types: [], cost_high: null }), '6.4')
  assert.equal(minutesSentence(null), '')
})

test('findings are counted from the worst', () => {
  assert.equal(scanSentence({ status: 'COMPLETED', counts: { LOW: 1, other: 4, critical: 2, high: 0 } }), '2 critical, 1 low, 4 other')
  assert.equal(scanSentence({ status: 'COMPLETED', counts: { critical: 0 } }), 'no findings')
  assert.equal(scanSentence({ status: 'SCANNING', counts: null }), 'scanning')
  assert.equal(scanSentence(null), '')
})

test('the name of a bar says all that the bar shows', () => {
  const smoke = workflow('smoke', 0, 130, { parallel_group: 'functional' })
  assert.equal(workflowSentence(smoke, 130), 'smoke, test, group functional, passed, 2 min 10 s')
  assert.equal(workflowSentence({ ...smoke, attempts: 2 }, 130), 'smoke, test, group functional, passed, 2 min 10 s, attempt 1 of 2')
  assert.equal(workflowSentence(workflow('soak', null, null), null), 'soak, test, pending')
})
