// Where to go from an image: to its task, where a reader finds the log and clears it, and to AWS.
import type { Build } from '../api'
import type { Navigation } from '../navigation'
import { Link } from '../shared/Link'

export function ImageLinks({ build, navigation }: { build: Build; navigation: Navigation }) {
  const { task, log_url, console_url } = build
  return (
    <ul class="ib-links">
      <li>
        <Link to={navigation.task(build.dag_id, build.run_id, task.task_id, task.map_index)} navigation={navigation}>
          Task <bdi>{task.task_id}</bdi>
          {task.map_index >= 0 ? ` [${task.map_index}]` : ''}
        </Link>
      </li>
      {log_url && (
        <li>
          <Link to={log_url} navigation={navigation}>
            Build log in CloudWatch
          </Link>
        </li>
      )}
      {console_url && (
        <li>
          <Link to={console_url} navigation={navigation}>
            Image Builder console
          </Link>
        </li>
      )}
    </ul>
  )
}
