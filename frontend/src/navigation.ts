// Addresses of pages, and how a link is followed: inside of Airflow's UI without loading it again.

export interface Navigation {
  /** Whether the page has Airflow's frame around it. */
  framed: boolean
  /** The address of the run view. */
  run(dagId: string, runId: string): string
  /** The address of a Dag run in Airflow. */
  dagRun(dagId: string, runId: string): string
  /** The address of a task instance in Airflow. */
  task(dagId: string, runId: string, taskId: string, mapIndex: number): string
  /** Follow a link of this page; false leaves it to the browser. */
  follow(address: string): boolean
}

/** Where Airflow is served: this module is at <base>/imagebuilder/static/. */
export const BASE = new URL('../..', import.meta.url).pathname.replace(/\/$/, '')

/** Dispatched at the window when Airflow's router has another address. */
export const ADDRESS_CHANGED = 'imagebuilder:address'

const part = encodeURIComponent

const dagRun = (dagId: string, runId: string) => `${BASE}/dags/${part(dagId)}/runs/${part(runId)}`

function task(dagId: string, runId: string, taskId: string, mapIndex: number): string {
  const mapped = mapIndex >= 0 ? `/mapped/${mapIndex}` : ''
  return `${dagRun(dagId, runId)}/tasks/${part(taskId)}${mapped}`
}

export function inAirflow(navigate?: (path: string) => void): Navigation {
  return {
    framed: true,
    run: (dagId, runId) => `${BASE}/dags/${part(dagId)}/runs/${part(runId)}/plugin/image-build`,
    dagRun,
    task,
    follow(address) {
      if (!navigate) return false
      navigate(address.startsWith(BASE) ? address.slice(BASE.length) : address)
      return true
    },
  }
}

export function standalone(): Navigation {
  return {
    framed: false,
    run: (dagId, runId) => `${BASE}/imagebuilder/runs/${part(dagId)}/${part(runId)}`,
    dagRun,
    task,
    follow: () => false,
  }
}
