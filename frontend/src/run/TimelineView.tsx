// The timeline of an image: a row for its stages, a band for each group, a button for each workflow.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Build } from '../api'
import type { Navigation } from '../navigation'
import { duration } from '../shared/Duration'
import { Icon } from '../shared/Icon'
import { kindOfOutcome } from '../shared/Status'
import { absolute, clock } from '../shared/Time'
import { type Axis, axisOf } from './axis'
import { type Extent, extentsOf, textsOf } from './extent'
import { moved } from './keys'
import { isShown, type Shown } from './place'
import { workflowSentence } from './sentences'
import { type Band, type Bar, type Timeline, timelineOf } from './timeline'
import { useRoom } from './useRoom'
import { WorkflowDetails } from './WorkflowDetails'

export interface TimelineProps {
  build: Build
  until: number
  shown: Shown
  navigation: Navigation
}

export function TimelineView({ build, until, shown, navigation }: TimelineProps) {
  const plot = useRef<HTMLDivElement>(null)
  const [opened, setOpened] = useState<string | null>(null)
  const [current, setCurrent] = useState<string | null>(null)
  const room = useRoom(plot)
  const timeline = timelineOf(build, until, room.stacked)
  const axis = axisOf(timeline, room.width)
  const laidOut = timeline.bands.map((band) => ({ band, extents: extentsOf(band, axis, timeline.columns, room) }))
  const bars = timeline.bands.flatMap((band) => band.bars)
  const stop = bars.some(({ key }) => key === current) ? current : (bars[0]?.key ?? null)
  useEffect(() => plot.current?.querySelector('.ib-own')?.scrollIntoView({ block: 'nearest' }), [])
  const focus = (key: string) => {
    const index = bars.findIndex((bar) => bar.key === key)
    plot.current?.querySelector<HTMLElement>(`[data-bar="${index}"]`)?.focus()
  }
  const close = (key: string) => {
    setOpened(null)
    focus(key)
  }
  return (
    <div
      ref={plot}
      class={room.stacked ? 'ib-plot ib-stacked' : 'ib-plot'}
      dir="ltr"
      role="toolbar"
      aria-label={`Workflows of ${build.name} ${build.version}; arrow keys move between them`}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && opened !== null) return close(opened)
        if (!(event.target instanceof HTMLElement) || event.target.dataset['bar'] === undefined || stop === null) return
        const next = moved(timeline.bands, stop, event.key)
        if (next === null) return
        event.preventDefault()
        focus(next)
      }}
    >
      <Ticks axis={axis} timeline={timeline} />
      <Stages axis={axis} timeline={timeline} />
      {laidOut.map(({ band, extents }) => (
        <div class="ib-band" key={band.key} role="group" aria-label={bandSentence(band)}>
          <p class="ib-band-label ib-text" aria-hidden="true">
            <bdi>{band.label}</bdi>
            {band.kind === 'group' && <span class="ib-muted"> group</span>}
          </p>
          <div class="ib-lanes" style={{ '--ib-lanes': band.lanes }}>
            <Lines axis={axis} timeline={timeline} />
            {band.bars.map((bar) => (
              <BarButton
                key={bar.key}
                bar={bar}
                index={bars.indexOf(bar)}
                extent={extents.get(bar.key)!}
                stacked={room.stacked}
                own={isShown(bar.workflow.task, shown)}
                opened={opened === bar.key}
                stop={stop === bar.key}
                onFocus={() => setCurrent(bar.key)}
                onOpen={() => setOpened(opened === bar.key ? null : bar.key)}
              />
            ))}
          </div>
          {band.bars.map(
            (bar) =>
              opened === bar.key && (
                <WorkflowDetails
                  key={bar.key}
                  build={build}
                  bar={bar}
                  navigation={navigation}
                  close={() => close(bar.key)}
                />
              ),
          )}
        </div>
      ))}
    </div>
  )
}

function bandSentence({ kind, label, bars }: Band): string {
  const count = `${bars.length} workflow${bars.length === 1 ? '' : 's'}`
  return kind === 'group' ? `Group ${label}, ${count}` : `${label}, ${count}`
}

interface BarProps {
  bar: Bar
  index: number
  extent: Extent
  stacked: boolean
  own: boolean
  opened: boolean
  stop: boolean
  onFocus(): void
  onOpen(): void
}

function BarButton({ bar, index, extent, stacked, own, opened, stop, onFocus, onOpen }: BarProps) {
  const { workflow } = bar
  const kind = kindOfOutcome(workflow.outcome)
  const seconds = bar.start === null || bar.end === null ? null : (bar.end - bar.start) / 1000
  const { side } = extent
  const states = [
    `ib-kind-${kind}`,
    bar.start === null ? 'ib-waiting' : '',
    bar.running ? 'ib-moving' : '',
    bar.superseded ? 'ib-superseded' : '',
    own ? 'ib-own' : '',
    stacked ? '' : `ib-text-${side}`,
  ]
  const sentence = workflowSentence(workflow, seconds)
  const text = stacked ? (textsOf(bar)[0] ?? '') : extent.text
  return (
    <button
      type="button"
      class={`ib-workflow ${states.filter(Boolean).join(' ')}`}
      style={stacked ? stackedStyle(bar, extent) : styleOf(bar, extent)}
      data-bar={index}
      tabIndex={stop ? 0 : -1}
      aria-expanded={opened}
      onFocus={onFocus}
      onClick={onOpen}
    >
      <span class="ib-hidden">{own ? `${sentence}, of this task` : sentence}</span>
      <span class="ib-block" />
      <span class="ib-workflow-text" aria-hidden="true" title={sentence}>
        <Icon name={kind} />
        <span class="ib-workflow-name">
          <bdi>{workflow.name}</bdi>
          {text.slice(workflow.name.length)}
        </span>
      </span>
    </button>
  )
}

function styleOf(bar: Bar, { left, width, block }: Extent): preact.CSSProperties {
  return { left: `${left}%`, width: `${width}%`, ...laneOf(bar), '--ib-block': `${block}%` }
}

/** The button is a line of the plot; only its block is at its time. */
function stackedStyle(bar: Bar, { left, width, block, side }: Extent): preact.CSSProperties {
  const size = (width * block) / 100
  const at = side === 'before' ? left + width - size : left
  return { ...laneOf(bar), '--ib-at': `${at}%`, '--ib-block': `${size}%` }
}

const laneOf = ({ lane }: Bar): preact.CSSProperties => ({ '--ib-lane': lane })

function Ticks({ axis, timeline }: { axis: Axis; timeline: Timeline }) {
  return (
    <div class="ib-axis" aria-hidden="true">
      <div class="ib-axis-inner">
        {axis.ticks.map(({ elapsed, at }) => (
          <span
            key={elapsed}
            class="ib-tick"
            style={{ left: `${at}%` }}
            title={absolute(timeline.start + elapsed)}
          >
            {elapsed === 0 ? clock(timeline.start) : `+${duration(elapsed / 1000)}`}
          </span>
        ))}
        {timeline.columns > 0 && (
          <span class="ib-tick ib-later" style={{ left: `${axis.edge}%`, width: `${100 - axis.edge}%` }}>
            not begun
          </span>
        )}
      </div>
    </div>
  )
}

function Lines({ axis, timeline }: { axis: Axis; timeline: Timeline }) {
  return (
    <>
      {timeline.segments.map(({ start, stage }) => (
        <span key={`${stage.name} ${start}`} class="ib-line" style={{ left: `${axis.place(start)}%` }} />
      ))}
      {axis.pauses.map(({ start, end }) => (
        <span
          key={start}
          class="ib-pause"
          style={{ left: `${axis.place(start)}%`, width: `${axis.place(end) - axis.place(start)}%` }}
          title={`${duration((end - start) / 1000)} in which nothing ran`}
        />
      ))}
    </>
  )
}

function Stages({ axis, timeline }: { axis: Axis; timeline: Timeline }) {
  if (!timeline.segments.length) return null
  return (
    <div class="ib-band ib-stages" role="group" aria-label="Stages">
      <p class="ib-band-label" aria-hidden="true">
        Stages
      </p>
      <ol class="ib-lanes ib-stage-lanes">
        {timeline.segments.map(({ stage, start, end }) => {
          const left = axis.place(start)
          const text = `${stage.name}, ${stage.outcome}, ${duration((end - start) / 1000)}`
          return (
            <li
              key={`${stage.name} ${start}`}
              class={`ib-stage ib-kind-${kindOfOutcome(stage.outcome)}`}
              style={{ left: `${left}%`, width: `${Math.max(axis.place(end) - left, 0.2)}%` }}
              title={text}
            >
              <span class="ib-stage-text" aria-hidden="true">
                {stage.name}
              </span>
              <span class="ib-hidden">{text}</span>
            </li>
          )
        })}
      </ol>
    </div>
  )
}
