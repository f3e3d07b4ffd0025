import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Poll } from '../../src/shared/poll'
import { PAUSES } from '../../src/images/usePage'

/** Timers that only note what is planned. */
function planned(): { waits: number[]; set: (run: () => void, wait: number) => unknown; clear: () => void; now: () => number } {
  const waits: number[] = []
  return { waits, set: (_, wait) => waits.push(wait), clear: () => undefined, now: () => 0 }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('the answer to an older question is never shown, though it comes last and ignores its abort', async () => {
  const shown: string[] = []
  const answers = new Map<string, (answer: string) => void>()
  const about = (question: string): Poll<string> =>
    new Poll<string>({
      ask: () => new Promise((resolve) => answers.set(question, resolve)),
      changed: ({ value }) => shown.push(String(value)),
      inProgress: () => false,
      timers: planned(),
    })
  const older = about('go')
  void older.refresh()
  older.stop() // what useLive does when the question changes
  const newer = about('golden')
  void newer.refresh()
  answers.get('golden')?.('images of golden')
  await settled()
  answers.get('go')?.('images of go')
  await settled()
  assert.deepEqual(shown, ['images of golden'])
})

test('a page is asked for again after ten seconds while an image is in progress, else after a minute', async () => {
  for (const [inProgress, pause] of [
    [true, 10_000],
    [false, 60_000],
  ] as const) {
    const timers = planned()
    const poll = new Poll<number>({
      ask: () => Promise.resolve(1),
      changed: () => undefined,
      inProgress: () => inProgress,
      timers,
      pauses: PAUSES,
    })
    await poll.refresh()
    assert.equal(timers.waits.at(-1), pause)
  }
})
