// One image of the run: what it is, how it is, why it failed, its timeline and what came out of it.
import { useState } from 'preact/hooks'
import type { Build } from '../api'
import type { Navigation } from '../navigation'
import { duration } from '../shared/Duration'
import { Icon } from '../shared/Icon'
import { Link } from '../shared/Link'
import { ImageStatus } from '../shared/Status'
import { milliseconds, relative, Time } from '../shared/Time'
import { FailedTests } from './FailedTests'
import { FailureReport } from './FailureReport'
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
  open: boolean
  navigation: Navigation
}

/** A running image that was last seen longer ago is marked. */
const SILENCE_MS = 5 * 60_000

export function ImageSection({ build, until, now, shown, asTable, open, navigation }: ImageSectionProps) {
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
          {build.failure && <FailureReport failure={build.failure} available={build.status === 'AVAILABLE'} />}
          <FailedTests build={build} />
          <Facts build={build} now={now} navigation={navigation} />
          {build.workflows.length === 0 ? (
            <p class="ib-muted">No workflow of this image has been seen{build.ended ? '' : ' yet'}.</p>
          ) : asTable ? (
            <WorkflowTable build={build} until={until} shown={shown} navigation={navigation} />
          ) : (
            <TimelineView build={build} until={until} shown={shown} navigation={navigation} />
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
  if (build.ended) return build.duration === null ? '' : `after ${duration(build.duration)}`
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
  const { task } = build
  const said = build.failure?.message // AWS repeats it in the reason
  const reason = said && build.reason?.includes(said) ? null : build.reason
  const scan = scanSentence(build.scan)
  const tests = testsSentence(build)
  const minutes = minutesSentence(build.build_minutes)
  return (
    <dl class="ib-facts">
      {build.created_at && (
        <Fact name="Begun">
          <Time value={build.created_at} /> <span class="ib-muted">({ago(build.created_at, now)})</span>
        </Fact>
      )}
      {silent && observed !== null && <Fact name="Last seen">{relative(observed, now)}</Fact>}
      {reason && <Fact name="Reason">{reason}</Fact>}
      {tests && <Fact name="Tests">{tests}</Fact>}
      {scan && <Fact name="Scan">{scan}</Fact>}
      {minutes && <Fact name="Build minutes">{minutes}</Fact>}
      {build.recipe && <Fact name="Recipe">{build.recipe}</Fact>}
      {build.platform && <Fact name="Platform">{build.platform}</Fact>}
      {!build.submitted && <Fact name="Submitted by">another run or a person; this run waits for it</Fact>}
      <Fact name="Links">
        <ul class="ib-links">
          <li>
            <Link to={navigation.task(build.dag_id, build.run_id, task.task_id, task.map_index)} navigation={navigation}>
              Task <bdi>{task.task_id}</bdi>
              {task.map_index >= 0 ? ` [${task.map_index}]` : ''}
            </Link>
          </li>
          {build.log_url && (
            <li>
              <Link to={build.log_url} navigation={navigation}>
                Build log in CloudWatch
              </Link>
            </li>
          )}
          {build.console_url && (
            <li>
              <Link to={build.console_url} navigation={navigation}>
                Image Builder console
              </Link>
            </li>
          )}
        </ul>
      </Fact>
    </dl>
  )
}

function ago(value: string, now: number): string {
  const at = milliseconds(value)
  return at === null ? '' : relative(at, now)
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="ib-text">{children}</dd>
    </div>
  )
}
