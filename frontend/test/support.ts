import type { Build, Workflow } from '../src/api'

const BEGAN = Date.parse('2026-11-26T12:00:00Z')

/** A time, as seconds since the image began. */
export const at = (seconds: number) => new Date(BEGAN + seconds * 1000).toISOString()
export const ms = (seconds: number) => BEGAN + seconds * 1000

export function workflow(name: string, start: number | null, end: number | null, members: Partial<Workflow> = {}): Workflow {
  return {
    execution_id: start === null ? null : `wf-${name}-${start}`,
    name,
    type: 'TEST',
    parallel_group: null,
    status: null,
    outcome: start === null ? 'pending' : end === null ? 'running' : 'passed',
    start: start === null ? null : at(start),
    end: end === null ? null : at(end),
    attempt: 1,
    attempts: 1,
    steps_total: 0,
    steps_succeeded: 0,
    steps_failed: 0,
    steps_skipped: 0,
    message: null,
    steps: null,
    task: null,
    ...members,
  }
}

export function image(members: Partial<Build> = {}): Build {
  return {
    arn: 'arn:aws:imagebuilder:eu-central-1:111122223333:image/web/1.0.0/1',
    name: 'web',
    version: '1.0.0/1',
    type: 'AMI',
    platform: 'Linux',
    status: 'TESTING',
    ended: false,
    stale: false,
    created_at: at(0),
    ended_at: null,
    duration: null,
    tests_passed: 0,
    tests_failed: 0,
    tests_total: 0,
    scan: null,
    amis: [],
    containers: [],
    submitted: true,
    dag_id: 'golden_image',
    run_id: 'manual__1',
    task: { task_id: 'bake.create_image', map_index: -1, state: 'deferred', try_number: 1 },
    recipe: null,
    pipeline_arn: null,
    reason: null,
    observed_at: at(100),
    stages: [],
    workflows: [],
    failure: null,
    estimate: null,
    build_minutes: null,
    console_url: '',
    log_url: '',
    truncated: [],
    ...members,
  }
}
