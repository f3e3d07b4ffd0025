// The JSON API of airflow_imagebuilder/ui/api, as it answers. Times are ISO 8601 in UTC, durations seconds.
import { BASE } from './navigation'

/** States of an image, as AWS writes them: PENDING, BUILDING, TESTING, AVAILABLE, FAILED, ... */
export type ImageStatus = string

/** How a workflow ended, or that it has not. */
export type Outcome = 'pending' | 'running' | 'passed' | 'failed' | 'skipped' | 'cancelled'

export type WorkflowType = 'BUILD' | 'TEST' | 'DISTRIBUTION'

/** A task instance of Airflow. */
export interface TaskRef {
  task_id: string
  map_index: number
  state: string | null
  try_number: number
}

export interface Step {
  name: string
  action: string | null
  status: string
  start: string | null
  end: string | null
  message: string | null
}

/** One execution of a workflow, or a workflow that has not begun (`execution_id` is null). */
export interface Workflow {
  execution_id: string | null
  name: string
  type: WorkflowType
  parallel_group: string | null
  status: string | null
  outcome: Outcome
  start: string | null
  end: string | null
  /** From 1: each repair of an image runs its failed workflows again. */
  attempt: number
  attempts: number
  steps_total: number
  steps_succeeded: number
  steps_failed: number
  steps_skipped: number
  message: string | null
  /** Null where no task has recorded the steps. */
  steps: Step[] | null
  /** The monitor of this workflow in a task group. */
  task: TaskRef | null
}

/** A stage of the image's life; `end` is null while it lasts. */
export interface Stage {
  name: 'build' | 'test' | 'distribution' | 'integration'
  start: string
  end: string | null
  outcome: Outcome
}

export interface Ami {
  region: string
  account_id: string | null
  image: string | null
  name: string | null
}

export interface Container {
  region: string
  image_uris: string[]
}

export interface Failure {
  stage: string | null
  workflow: string | null
  step: string | null
  component: string | null
  message: string | null
  /** What to do next; several lines. */
  advice: string | null
  /** The whole report, as the task's log has it. */
  text: string
}

export interface Estimate {
  /** How many earlier images of the same recipe it is made from. */
  based_on: number
  /** Seconds: the durations of those images. */
  median: number
  fastest: number
  slowest: number
  /** Seconds since this image began; for an image that has ended, its duration. */
  elapsed: number
  /** Seconds that are left, from those images that took longer than `elapsed`; null if none did, or if it has ended. */
  remaining: number | null
  remaining_low: number | null
  remaining_high: number | null
  slower_than_all: boolean
}

export interface BuildMinutes {
  /** Minutes in which instances of the build and of the tests ran: the sum of their workflows. */
  total: number
  instance_types: string[]
  /** Null where [imagebuilder] instance_prices does not have all instance types. */
  cost_low: number | null
  cost_high: number | null
  currency: string | null
}

export interface Scan {
  /** AWS's scanState: PENDING, SCANNING, COMPLETED, ... */
  status: string | null
  /** Findings by severity, from a scan gate; null if no task has counted them. */
  counts: Record<string, number> | null
}

/** What is known of an image without its workflows: a row of the images page. */
export interface ImageRow {
  arn: string
  name: string
  version: string
  type: 'AMI' | 'DOCKER'
  platform: string | null
  status: ImageStatus
  /** Whether the image has stopped changing. */
  ended: boolean
  /** The task has ended without having seen the end of the image: `status` is what it saw last. */
  stale: boolean
  created_at: string | null
  ended_at: string | null
  duration: number | null
  tests_passed: number
  tests_failed: number
  tests_total: number
  scan: Scan | null
  amis: Ami[]
  containers: Container[]
  /** The run that submitted it, or, if `submitted` is false, one that only waited for it. */
  submitted: boolean
  dag_id: string
  run_id: string
  task: TaskRef
}

/** One image of a run. */
export interface Build extends ImageRow {
  recipe: string | null
  pipeline_arn: string | null
  reason: string | null
  /** AWS's clock: when AWS was asked and, while tasks watch the image, the time since. Running bars end here. */
  observed_at: string
  stages: Stage[]
  workflows: Workflow[]
  failure: Failure | null
  estimate: Estimate | null
  build_minutes: BuildMinutes | null
  console_url: string
  log_url: string
  /** Members of which something was left out, to keep the record small. */
  truncated: string[]
}

export interface Run {
  dag_id: string
  run_id: string
  /** Airflow's state of the run: queued, running, success, failed. */
  state: string | null
  start: string | null
  end: string | null
  /** The server's time. */
  now: string
  images: Build[]
}

export interface Page<T> {
  total: number
  limit: number
  offset: number
  items: T[]
}

export type ImageSort = 'created_at' | 'name' | 'status' | 'duration'

export interface ImageQuery {
  /** Exactly this name. */
  name?: string | undefined
  /** Text in the name, the version, the ARN or an AMI id. */
  text?: string | undefined
  status?: ImageStatus | undefined
  sort?: ImageSort | undefined
  descending?: boolean | undefined
  limit?: number | undefined
  offset?: number | undefined
}

/** A golden image: all images of one name. */
export interface NameRow {
  name: string
  versions: number
  /** The newest image, whatever its state. */
  latest: ImageRow
}

export interface TrendPoint {
  version: string
  created_at: string
  duration: number | null
  status: ImageStatus
  critical: number | null
  high: number | null
  findings: number | null
  dag_id: string
  run_id: string
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

const API = `${BASE}/imagebuilder/api/v1`

export const getRun = (dagId: string, runId: string, signal?: AbortSignal): Promise<Run> =>
  get(`/dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(runId)}`, {}, signal)

export const getImages = (query: ImageQuery, signal?: AbortSignal): Promise<Page<ImageRow>> =>
  get('/images', { ...query }, signal)

export const getNames = (
  query: Pick<ImageQuery, 'text' | 'sort' | 'descending' | 'limit' | 'offset'>,
  signal?: AbortSignal,
): Promise<Page<NameRow>> => get('/names', { ...query }, signal)

export const getTrend = (name: string, limit: number, signal?: AbortSignal): Promise<TrendPoint[]> =>
  get('/trend', { name, limit }, signal)

async function get<T>(
  path: string,
  query: Record<string, string | number | boolean | undefined>,
  signal?: AbortSignal,
): Promise<T> {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(name, String(value))
  }
  const address = `${API}${path}${parameters.size ? `?${parameters}` : ''}`
  const answer = await fetch(address, { headers: { Accept: 'application/json' }, signal: signal ?? null })
  if (!answer.ok) throw new ApiError(answer.status, await reason(answer))
  return (await answer.json()) as T
}

async function reason(answer: Response): Promise<string> {
  const body: unknown = await answer.json().catch(() => null)
  const detail = body && typeof body === 'object' && 'detail' in body ? body.detail : null
  return typeof detail === 'string' ? detail : answer.statusText
}
