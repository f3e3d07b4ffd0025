import type { Navigation } from '../navigation'

export interface RunPlace {
  dagId: string
  runId: string
  taskId?: string | undefined
  mapIndex?: string | undefined
  navigation: Navigation
}

export function RunPage({ dagId, runId, navigation }: RunPlace) {
  return <a href={navigation.run(dagId, runId)}>{runId}</a>
}
