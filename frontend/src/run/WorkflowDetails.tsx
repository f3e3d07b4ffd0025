// What is known of one workflow, below its band.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Build, Step, Workflow } from '../api'
import type { Navigation } from '../navigation'
import { Copy } from '../shared/Copy'
import { duration } from '../shared/Duration'
import { Link } from '../shared/Link'
import { OutcomeStatus } from '../shared/Status'
import { milliseconds, Time } from '../shared/Time'
import { attemptSentence } from './sentences'
import type { Bar } from './timeline'

export interface DetailsProps {
  build: Build
  bar: Bar
  navigation: Navigation
  close(): void
}

export function WorkflowDetails({ build, bar, navigation, close }: DetailsProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  const [withSteps, showSteps] = useState(false)
  useEffect(() => heading.current?.focus(), [])
  const { workflow } = bar
  const seconds = bar.start === null || bar.end === null ? null : (bar.end - bar.start) / 1000
  const attempt = attemptSentence(workflow)
  return (
    <section
      class="ib-details"
      dir="auto"
      aria-label={`Workflow ${workflow.name}`}
      onKeyDown={(event) => {
        if (event.key === 'Escape') close()
      }}
    >
      <div class="ib-details-head">
        <h3 ref={heading} tabIndex={-1} class="ib-text">
          {workflow.name}
        </h3>
        <OutcomeStatus outcome={workflow.outcome} />
        {attempt && <span class="ib-muted">{attempt}</span>}
        <button type="button" class="ib-button ib-toggle" onClick={close}>
          Close
        </button>
      </div>
      {workflow.message && <p class="ib-text ib-lines">{workflow.message}</p>}
      <dl class="ib-facts">
        {workflow.start && <Detail name="Start" value={<Time value={workflow.start} />} />}
        {workflow.end && <Detail name="End" value={<Time value={workflow.end} />} />}
        {seconds !== null && <Detail name={bar.running ? 'Running for' : 'Duration'} value={duration(seconds)} />}
        {workflow.status && <Detail name="Status in AWS" value={workflow.status} />}
        {workflow.execution_id && (
          <Detail
            name="Execution"
            value={
              <>
                <code>{workflow.execution_id}</code> <Copy text={workflow.execution_id} of="execution id" />
              </>
            }
          />
        )}
        {workflow.task && (
          <Detail name="Task and log" value={<TaskLink build={build} workflow={workflow} navigation={navigation} />} />
        )}
      </dl>
      <div class="ib-actions">
        <span>{stepsSentence(workflow)}</span>
        {workflow.steps !== null && workflow.steps.length > 0 && (
          <button type="button" class="ib-button" aria-expanded={withSteps} onClick={() => showSteps(!withSteps)}>
            Steps ({workflow.steps.length})
          </button>
        )}
        {workflow.steps === null && workflow.start !== null && (
          <span class="ib-muted">Steps are recorded by the monitors of ImageBuilderTaskGroup.</span>
        )}
      </div>
      {withSteps && workflow.steps && <Steps steps={workflow.steps} name={workflow.name} />}
    </section>
  )
}

export function TaskLink({ build, workflow, navigation }: Pick<DetailsProps, 'build' | 'navigation'> & { workflow: Workflow }) {
  const { task } = workflow
  if (!task) return null
  return (
    <Link to={navigation.task(build.dag_id, build.run_id, task.task_id, task.map_index)} navigation={navigation}>
      {task.task_id}
      {task.map_index >= 0 ? ` [${task.map_index}]` : ''}
    </Link>
  )
}

export function stepsSentence({ steps_total, steps_succeeded, steps_failed, steps_skipped }: Workflow): string {
  if (!steps_total) return ''
  const rest = [steps_failed && `${steps_failed} failed`, steps_skipped && `${steps_skipped} skipped`].filter(Boolean)
  return [`${steps_succeeded} of ${steps_total} steps succeeded`, ...rest].join(', ')
}

function Detail({ name, value }: { name: string; value: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="ib-text">{value}</dd>
    </div>
  )
}

function Steps({ steps, name }: { steps: readonly Step[]; name: string }) {
  return (
    <div class="ib-scroll" tabIndex={0} role="region" aria-label={`Steps of ${name}`}>
      <table class="ib-table">
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">Action</th>
            <th scope="col">Status</th>
            <th scope="col">Duration</th>
            <th scope="col">Message</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step, index) => (
            <tr key={index} class={/FAILED|TIMED_OUT/.test(step.status) ? 'ib-step-failed' : undefined}>
              <th scope="row" class="ib-text">
                {step.name}
              </th>
              <td class="ib-text">{step.action}</td>
              <td class="ib-text">{step.status.toLowerCase()}</td>
              <td>{duration(lasted(step))}</td>
              <td class="ib-text ib-lines">{step.message}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function lasted({ start, end }: Step): number | null {
  const [from, to] = [milliseconds(start), milliseconds(end)]
  return from === null || to === null ? null : (to - from) / 1000
}
