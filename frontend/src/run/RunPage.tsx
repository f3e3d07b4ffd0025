// The run view: every image of a Dag run, live.
import './run.css'
import { useState } from 'preact/hooks'
import { type Build, getRun, type Run } from '../api'
import type { Navigation } from '../navigation'
import { Empty } from '../shared/Empty'
import { Link } from '../shared/Link'
import { Note } from '../shared/Note'
import type { Problem } from '../shared/poll'
import { wordOfImage } from '../shared/Status'
import { relative } from '../shared/Time'
import { useLive, useServerTime } from '../shared/useLive'
import { ImageSection } from './ImageSection'
import { concerns, opensAtFirst, shownFirst, shownTask } from './place'
import { testsSentence } from './sentences'
import { seenUntil } from './timeline'

export interface RunPlace {
  dagId: string
  runId: string
  taskId?: string | undefined
  mapIndex?: string | undefined
  navigation: Navigation
}

export function RunPage({ dagId, runId, taskId, mapIndex, navigation }: RunPlace) {
  const live = useLive<Run>(`${dagId}\n${runId}`, {
    ask: (signal) => getRun(dagId, runId, signal),
    inProgress,
    isOlder: (run, shown) => Date.parse(run.now) < Date.parse(shown.now),
  })
  const [asTable, setAsTable] = useState(false)
  const { value: run, problem } = live
  const moving = run?.images.some((image) => !image.ended && !image.stale) ?? false
  const now = useServerTime(run?.now, live.receivedAt, moving || problem !== null)
  const shown = shownTask(taskId, mapIndex)
  const hidden = problem?.status === 403 || problem?.status === 404
  const answeredAt = run ? Date.parse(run.now) : now
  return (
    <Frame framed={navigation.framed}>
      {!navigation.framed && <Heading dagId={dagId} runId={runId} navigation={navigation} />}
      {problem && <ProblemNote problem={problem} asOf={run && !hidden ? relative(answeredAt, now) : null} />}
      {!run && !problem && <p role="status">Loading ...</p>}
      {run && !hidden && run.images.length === 0 && <NoImage run={run} />}
      {run && !hidden && run.images.length > 0 && (
        <>
          <Announcement images={run.images} />
          {taskId && !run.images.some((image) => concerns(image, shown)) && (
            <p class="ib-muted">This task has recorded no image: these are the images of its run.</p>
          )}
          {shownFirst(run.images, shown).map((image) => (
            <ImageSection
              key={`${image.arn} ${image.task.task_id} ${image.task.map_index}`}
              build={image}
              until={seenUntil(image, answeredAt, now)}
              now={now}
              shown={shown}
              asTable={asTable}
              toggleTable={() => setAsTable(!asTable)}
              open={opensAtFirst(image, run.images, shown)}
              navigation={navigation}
            />
          ))}
        </>
      )}
    </Frame>
  )
}

function inProgress({ state, images }: Run): boolean {
  return state === null || state === 'queued' || state === 'running' || images.some((image) => !image.ended && !image.stale)
}

/** The words are English, also where Airflow's UI is written from right to left. */
function Frame({ framed, children }: { framed: boolean; children: preact.ComponentChildren }) {
  const Element = framed ? 'div' : 'main'
  return (
    <Element class="ib-run" lang="en" dir="ltr">
      {children}
    </Element>
  )
}

function Heading({ dagId, runId, navigation }: Pick<RunPlace, 'dagId' | 'runId' | 'navigation'>) {
  return (
    <header class="ib-heading">
      <h1>Image build</h1>
      <p class="ib-muted">
        Run{' '}
        <Link to={navigation.dagRun(dagId, runId)} navigation={navigation}>
          {runId}
        </Link>{' '}
        of Dag <span class="ib-text">{dagId}</span>
      </p>
    </header>
  )
}

function ProblemNote({ problem, asOf }: { problem: Problem; asOf: string | null }) {
  return (
    <Note kind="warning">
      {problem.text}
      {asOf && ` What is shown was answered ${asOf}.`}
    </Note>
  )
}

/** What a screen reader says when something has changed; a sentence that stays the same is not read again. */
function Announcement({ images }: { images: readonly Build[] }) {
  const sentences = images
    .filter((image) => !image.ended || images.length === 1)
    .slice(0, 5)
    .map((image) => [`${image.name} ${image.version}`, wordOfImage(image), testsSentence(image)].filter(Boolean).join(', '))
  return (
    <p role="status" class="ib-hidden">
      {sentences.join('. ')}
    </p>
  )
}

function NoImage({ run }: { run: Run }) {
  const ended = run.state === 'success' || run.state === 'failed'
  return (
    <Empty title={ended ? 'This run has built no image' : 'This run has built no image yet'}>
      <p>
        An image is shown here as soon as a task has submitted it or waits for it. These record one:
        ImageBuilderTaskGroup, the operators ImageBuilderCreateImageOperator, ImageBuilderStartPipelineOperator and
        ImageBuilderAwaitImageOperator, and ImageBuilderImageSensor.
      </p>
      {ended && <p>Runs from before the package could record images show none.</p>}
    </Empty>
  )
}
