import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '../src/api'
import { type Answer, LATER_MS, PATIENCE_MS, Poll, SOON_MS } from '../src/shared/poll'

interface Value {
  now: number
  busy: boolean
}

interface Question {
  signal: AbortSignal
  answer(value: Value): void
  fail(error: unknown): void
}

/** A poll on a clock that the test turns, and the questions that it asks. */
function watched() {
  let time = 0
  const timers = new Map<number, { run: () => void; due: number }>()
  let made = 0
  const questions: Question[] = []
  const shown: Answer<Value>[] = []
  const poll = new Poll<Value>({
    ask: (signal) =>
      new Promise((answer, fail) => {
        questions.push({ signal, answer, fail })
        signal.addEventListener('abort', () => fail(new DOMException('', 'AbortError')))
      }),
    changed: (answer) => shown.push(answer),
    inProgress: ({ busy }) => busy,
    isOlder: (value, current) => value.now < current.now,
    timers: {
      set: (run, milliseconds) => {
        timers.set(++made, { run, due: time + milliseconds })
        return made
      },
      clear: (timer) => void timers.delete(timer as number),
      now: () => time,
    },
  })
  return {
    poll,
    questions,
    shown,
    waiting: () => [...timers.values()].map(({ due }) => due - time).sort((a, b) => a - b),
    async turn(milliseconds: number) {
      time += milliseconds
      for (const [key, { run, due }] of [...timers]) {
        if (due <= time && timers.delete(key)) run()
      }
      await settled()
    },
  }
}

const settled = () => new Promise((done) => setImmediate(done))
const BUSY = { now: 1, busy: true }

test('it asks soon while something is in progress, and later when nothing is', async () => {
  const { poll, questions, shown, waiting, turn } = watched()
  void poll.refresh()
  questions[0]!.answer(BUSY)
  await settled()
  assert.deepEqual(waiting(), [SOON_MS])
  await turn(SOON_MS)
  questions[1]!.answer({ now: 2, busy: false })
  await settled()
  assert.deepEqual(waiting(), [LATER_MS])
  assert.equal(shown.at(-1)?.value?.now, 2)
})

test('an answer that comes late never replaces a newer one', async () => {
  const { poll, questions, shown } = watched()
  void poll.refresh()
  void poll.refresh()
  questions[1]!.answer({ now: 2, busy: true })
  await settled()
  questions[0]!.answer({ now: 1, busy: true })
  await settled()
  assert.deepEqual(shown.map(({ value }) => value?.now), [2])
})

test('nor does an answer that a cache kept', async () => {
  const { poll, questions, shown } = watched()
  void poll.refresh()
  questions[0]!.answer({ now: 5, busy: true })
  await settled()
  void poll.refresh()
  questions[1]!.answer({ now: 3, busy: true })
  await settled()
  assert.equal(shown.at(-1)?.value?.now, 5)
})

test('a failure that comes late does not hide a newer answer', async () => {
  const { poll, questions, shown } = watched()
  void poll.refresh()
  void poll.refresh()
  questions[1]!.answer(BUSY)
  await settled()
  questions[0]!.fail(new TypeError())
  await settled()
  assert.equal(shown.at(-1)?.problem, null)
})

test('after errors it waits longer, keeps the last answer, and says what is wrong', async () => {
  const { poll, questions, shown, waiting, turn } = watched()
  void poll.refresh()
  questions[0]!.answer(BUSY)
  await settled()
  const waits = []
  for (let count = 1; count <= 5; count++) {
    await turn(waiting()[0]!)
    questions[count]!.fail(new TypeError('Failed to fetch'))
    await settled()
    waits.push(waiting()[0])
  }
  assert.deepEqual(waits, [6000, 12_000, 24_000, LATER_MS, LATER_MS])
  assert.deepEqual(shown.at(-1), { value: BUSY, problem: { status: null, text: 'The server does not answer.' }, receivedAt: 0 })
  await turn(LATER_MS)
  questions[6]!.answer(BUSY)
  await settled()
  assert.equal(shown.at(-1)?.problem, null)
  assert.deepEqual(waiting(), [SOON_MS])
})

test('an answer that does not come is given up', async () => {
  const { poll, questions, shown, turn } = watched()
  void poll.refresh()
  await turn(PATIENCE_MS)
  assert.ok(questions[0]!.signal.aborted)
  assert.equal(shown.at(-1)?.problem?.status, null)
})

test('what may not be read is said plainly', async () => {
  for (const status of [401, 403, 404, 500]) {
    const { poll, questions, shown } = watched()
    void poll.refresh()
    questions[0]!.fail(new ApiError(status, 'Forbidden <b>'))
    await settled()
    assert.equal(shown.at(-1)?.problem?.status, status)
    assert.ok(!shown.at(-1)?.problem?.text.includes('<b>'))
  }
})

test('it asks nothing while the page is hidden, and at once when it is seen', async () => {
  const { poll, questions, waiting } = watched()
  void poll.refresh()
  poll.pause(true)
  questions[0]!.answer(BUSY)
  await settled()
  assert.deepEqual(waiting(), [])
  poll.pause(false)
  assert.equal(questions.length, 2)
})

test('when it stops, nothing is open and nothing changes', async () => {
  const { poll, questions, shown, waiting } = watched()
  void poll.refresh()
  poll.stop()
  assert.ok(questions[0]!.signal.aborted)
  await settled()
  void poll.refresh()
  assert.deepEqual([shown.length, waiting().length, questions.length], [0, 0, 1])
})
