// Tests that failed although AWS made the image available: what they said, in the page itself.
import type { Build, Workflow } from '../api'
import type { Navigation } from '../navigation'
import { Icon } from '../shared/Icon'
import { TaskLink } from './WorkflowDetails'

/** The failed workflows of an image that has no report of its own; those that a repair ran again do not count. */
function failedIn({ failure, workflows }: Build): Workflow[] {
  if (failure) return []
  return workflows.filter(({ outcome, attempt, attempts }) => outcome === 'failed' && attempt === attempts)
}

export function FailedTests({ build, navigation }: { build: Build; navigation: Navigation }) {
  const failed = failedIn(build)
  if (!failed.length) return null
  return (
    <section class="ib-failure ib-kind-warning">
      <h3>
        <Icon name="warning" /> {failed.length === 1 ? 'A workflow failed' : `${failed.length} workflows failed`}
      </h3>
      <ul>
        {failed.map((workflow) => (
          <li key={workflow.execution_id ?? workflow.name}>
            <span class="ib-text ib-lines">
              <strong>
                <bdi>{workflow.name}</bdi>
              </strong>
              : {messageOf(workflow.message, workflow.steps)}
            </span>
            {workflow.task && (
              <p>
                <span class="ib-muted">Task and log:</span>{' '}
                <TaskLink build={build} workflow={workflow} navigation={navigation} />
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** The message of the step that failed says more than that of its workflow. */
function messageOf(message: string | null, steps: Workflow['steps']): string {
  const failed = steps?.find(({ status, message: said }) => /FAILED|TIMED_OUT/.test(status) && said)
  return failed?.message ? `${failed.name}: ${failed.message}` : (message ?? 'AWS gives no reason.')
}
