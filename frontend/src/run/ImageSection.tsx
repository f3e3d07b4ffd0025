// One image of the run: what it is, how it is, why it failed, its timeline and what came out of it.
import { useState } from 'preact/hooks'
import type { Build } from '../api'
import type { Navigation } from '../navigation'
import { duration } from '../shared/Duration'
import { Icon } from '../shared/Icon'
import { ImageStatus } from '../shared/Status'
import { milliseconds, relative, Time } from '../shared/Time'
import { FailedTests } from './FailedTests'
import { FailureReport } from './FailureReport'
import { ImageLinks } from './ImageLinks'
import { Outputs } from './Outputs'
import { isShown, type Shown } from './place'
import { estimateSentence, minutesSentence, scanSentence, testsSentence } from './sentences'
import { TimelineView } from './TimelineView'
import { WorkflowTable } from './WorkflowTable'

export interface ImageSectionProps {
  build: Build
  until: number
  now: number
  shown: Shown
  asTable: boolean
  toggleTable(): void
  open: boolean
  navigation: Navigation
}

/** A running image that was last seen longer ago is marked. */
const SILENCE_MS = 5 * 60_000

export function ImageSection({ build, until, now, shown, asTable, toggleTable, open, navigation }: ImageSectionProps) {
  const [isOpen, setOpen] = useState(open)
  const own = isShown(build.task, shown)
  return (
    <details
      class={`ib-image${own ? ' ib-own' : ''}`}
      open={isOpen}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <h2 class="ib-text">
          <bdi>{build.name}</bdi> <bdi class="ib-version">{build.version}</bdi>
        </h2>
        <ImageStatus image={build} />
        <span class="ib-muted">{lasting(build, until)}</span>
        <EstimateText build={build} />
        {own && <span class="ib-mark">image of this task</span>}
      </summary>
      {isOpen && (
        <div class="ib-body">
          {build.failure && (
            <FailureReport failure={build.failure} available={build.status === 'AVAILABLE'}>
              <ImageLinks build={build} navigation={navigation} />
            </FailureReport>
          )}
          <FailedTests build={build} navigation={navigation} />
          <Facts build={build} now={now} navigation={navigation} />
          {build.workflows.length === 0 ? (
            <p class="ib-muted">No workflow of this image has been seen{build.ended ? '' : ' yet'}.</p>
          ) : (
            <section class="ib-section">
              <div class="ib-details-head">
                <h3>Workflows</h3>
                <button
                  type="button"
                  class="ib-button ib-toggle"
                  aria-label="Workflows as a table"
                  aria-pressed={asTable}
                  onClick={toggleTable}
                >
                  As a table
                </button>
              </div>
              {asTable ? (
                <WorkflowTable build={build} until={until} shown={shown} navigation={navigation} />
              ) : (
                <TimelineView build={build} until={until} shown={shown} navigation={navigation} />
              )}
            </section>
          )}
          <Outputs build={build} />
          {build.truncated.length > 0 && (
            <p class="ib-muted ib-text">Left out, to keep the record small: {build.truncated.join(', ')}.</p>
          )}
        </div>
      )}
    </details>
  )
}

function lasting(build: Build, until: number): string {
  const created = milliseconds(build.created_at)
  if (build.ended) return !build.duration || build.duration < 1 ? '' : `after ${duration(build.duration)}`
  return created === null ? '' : `for ${duration((until - created) / 1000)}`
}

function EstimateText({ build }: { build: Build }) {
  const sentence = build.stale ? null : estimateSentence(build.estimate, build.ended)
  if (!sentence) return null
  return (
    <span class={sentence.warning ? 'ib-slow ib-kind-warning' : 'ib-muted'}>
      {sentence.warning && <Icon name="warning" />} {sentence.text}
    </span>
  )
}

function Facts({ build, now, navigation }: { build: Build; now: number; navigation: Navigation }) {
  const observed = milliseconds(build.observed_at)
  const silent = !build.ended && observed !== null && (build.stale || now - observed > SILENCE_MS)
  const said = build.failure?.message // AWS repeats it in the reason
  const reason = said && build.reason?.includes(said) ? null : build.reason
  const scan = scanSentence(build.scan)
  const tests = testsSentence(build)
  const minutes = minutesSentence(build.build_minutes)
  const age = ago(build.created_at, now)
  return (
    <dl class="ib-facts">
      {!build.failure && (
        <Fact name="Links" wide>
          <ImageLinks build={build} navigation={navigation} />
        </Fact>
      )}
      {reason && <Fact name="Reason" wide>{reason}</Fact>}
      {build.created_at && (
        <Fact name="Begun">
          <Time value={build.created_at} /> {age && <span class="ib-muted">({age})</span>}
        </Fact>
      )}
      {silent && (
        <Fact name="Last seen">
          <Time value={build.observed_at} now={now} />
        </Fact>
      )}
      {tests && <Fact name="Tests">{tests}</Fact>}
      {scan && <Fact name="Scan">{scan}</Fact>}
      {minutes && <Fact name="Build minutes">{minutes}</Fact>}
      {build.recipe && <Fact name="Recipe">{build.recipe}</Fact>}
      {build.platform && <Fact name="Platform">{build.platform}</Fact>}
      {!build.submitted && <Fact name="Submitted by">another run or a person; this run waits for it</Fact>}
    </dl>
  )
}

function ago(value: string | null, now: number): string {
  const at = milliseconds(value)
  return at === null ? '' : relative(at, now)
}

function Fact({ name, wide, children }: { name: string; wide?: boolean; children: preact.ComponentChildren }) {
  return (
    <div class={wide ? 'ib-wide' : undefined}>
      <dt>{name}</dt>
      <dd class="ib-text">{children}</dd>
    </div>
  )
}
