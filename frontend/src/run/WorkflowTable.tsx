// The timeline as a table, for who does not use the picture.
import { duration } from '../shared/Duration'
import { OutcomeStatus } from '../shared/Status'
import { Time } from '../shared/Time'
import { isShown } from './place'
import { attemptSentence } from './sentences'
import { timelineOf } from './timeline'
import type { TimelineProps } from './TimelineView'
import { stepsSentence, TaskLink } from './WorkflowDetails'

export function WorkflowTable({ build, until, shown, navigation }: TimelineProps) {
  const { bands } = timelineOf(build, until)
  return (
    <div class="ib-scroll" tabIndex={0} role="region" aria-label={`Workflows of ${build.name} ${build.version}`}>
      <table class="ib-table ib-workflows">
        <thead>
          <tr>
            <th scope="col">Workflow</th>
            <th scope="col">Part</th>
            <th scope="col">Result</th>
            <th scope="col">Start</th>
            <th scope="col">End</th>
            <th scope="col">Duration</th>
            <th scope="col">Steps</th>
            <th scope="col">Task</th>
            <th scope="col">Message</th>
          </tr>
        </thead>
        <tbody>
          {bands.flatMap((band) =>
            band.bars.map((bar) => {
              const { workflow } = bar
              const own = isShown(workflow.task, shown)
              return (
                <tr key={bar.key} class={own ? 'ib-own' : undefined}>
                  <th scope="row" class="ib-text">
                    {workflow.name}
                    {own && ' (this task)'}
                    <span class="ib-muted"> {attemptSentence(workflow)}</span>
                  </th>
                  <td class="ib-text">{band.kind === 'group' ? `Group ${band.label}` : band.label}</td>
                  <td>
                    <OutcomeStatus outcome={workflow.outcome} />
                  </td>
                  <td>
                    <Time value={workflow.start} />
                  </td>
                  <td>
                    <Time value={workflow.end} />
                  </td>
                  <td>{bar.start !== null && bar.end !== null && duration((bar.end - bar.start) / 1000)}</td>
                  <td>{stepsSentence(workflow)}</td>
                  <td>
                    <TaskLink build={build} workflow={workflow} navigation={navigation} />
                  </td>
                  <td class="ib-text ib-lines">{workflow.message}</td>
                </tr>
              )
            }),
          )}
        </tbody>
      </table>
    </div>
  )
}
